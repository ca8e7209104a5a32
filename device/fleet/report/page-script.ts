/**
 * The script of the page: draws the plots, follows the width, the colour scheme and the printer, and copies the command.
 * These functions are written into the page as they stand here, so they refer to one another and to nothing else. No IO.
 */
import type { PageElement, PageWindow } from "./page-window.ts";
import type { Plot, ValueForm } from "./plot-data.ts";
import type { DrawnPlot, DrawnPlotData, DrawnPlotOptions, DrawnPlotSeries } from "./uplot.ts";

/** What a plot is drawn with. */
interface Pen {
  readonly page: PageWindow;
  /** The value of a custom property of the style sheet. */
  colour(name: string): string;
}

/** The script as text; it starts when the page has loaded up to it. */
export function pageScript(): string {
  const functions = [valueLabel, timeSteps, xAxis, yAxis, lineSeries, barSeries, plotOptions, plotColumns, drawMarks];
  const starts = [drawPlots, followMedium, offerCopy, startPage];
  return [...functions, ...starts, "startPage(window);"].map(String).join("\n");
}

/** A value as an axis and a legend show it. */
function valueLabel(form: ValueForm, value: number): string {
  if (form !== "duration") return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 3 : 1 });
  if (value === 0) return "0";
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${Number((value / 1000).toFixed(2))} s`;
  const units: [string, number][] = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let rest = Math.round(value / 1000);
  const parts: string[] = [];
  for (const [unit, seconds] of units) {
    const count = Math.floor(rest / seconds);
    if (count > 0) parts.push(`${count} ${unit}`);
    rest -= count * seconds;
  }
  return parts.slice(0, 2).join(" ");
}

/** Distances between labels of time that people are used to, in milliseconds. */
function timeSteps(): number[] {
  const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
  const days = [2, 5, 10, 20, 50, 100].map((count) => count * 86_400);
  return [...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((ms) => ms / 1000), ...seconds, ...days].map((s) => s * 1000);
}

function xAxis(plot: Plot, pen: Pen): NonNullable<DrawnPlotOptions["axes"]>[number] {
  const look = {
    stroke: pen.colour("--muted"),
    font: "12px system-ui, sans-serif",
    label: plot.xLabel,
    labelFont: "12px system-ui, sans-serif",
    labelSize: 22,
    size: 34,
    ticks: { show: true, stroke: pen.colour("--line"), size: 4 },
  };
  if (plot.kind === "lines") {
    const values = (_: DrawnPlot, splits: number[]): string[] => splits.map((value) => valueLabel(plot.xForm, value));
    return {
      ...look,
      grid: { show: false },
      space: (plot.x.at(-1) ?? 0) < 60_000 ? 48 : 80,
      incrs: timeSteps(),
      values,
    };
  }
  const splits = (drawn: DrawnPlot): number[] => {
    const fitting = Math.max(1, Math.floor(drawn.bbox.width / pen.page.devicePixelRatio / 58));
    const every = Math.max(1, Math.ceil(plot.ticks.length / fitting));
    return plot.ticks.filter((_, index) => index % every === 0).map((tick) => tick.at);
  };
  const labels = new Map(plot.ticks.map((tick) => [tick.at, tick.label]));
  const values = (_: DrawnPlot, places: number[]): string[] => places.map((at) => labels.get(at) ?? "");
  return { ...look, grid: { show: false }, splits, values };
}

function yAxis(plot: Plot, pen: Pen): NonNullable<DrawnPlotOptions["axes"]>[number] {
  const steps = [1, 2, 2.5, 5];
  const fractions = [0.001, 0.01, 0.1].flatMap((power) => steps.map((step) => step * power));
  const wholes = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
  return {
    stroke: pen.colour("--muted"),
    font: "12px system-ui, sans-serif",
    label: plot.yLabel,
    labelFont: "12px system-ui, sans-serif",
    labelSize: 20,
    size: 56,
    space: 36,
    incrs: plot.yForm === "count" ? wholes : [...fractions, ...wholes],
    grid: { show: true, stroke: pen.colour("--line"), width: 1 },
    ticks: { show: false },
    values: (_, splits) => splits.map((value) => valueLabel(plot.yForm, value)),
  };
}

function lineSeries(plot: Plot, pen: Pen): DrawnPlotSeries[] {
  return plot.series.map((series) => {
    const colour = pen.colour(series.colour);
    return {
      label: series.label,
      stroke: colour,
      width: 2,
      points: { show: false },
      value: (_, value) => (value === null ? "" : valueLabel(plot.yForm, value)),
      ...(series.isFilled ? { fill: `${colour}22` } : {}),
      ...(series.isDashed ? { dash: [6, 4] } : {}),
    };
  });
}

/** The tallest layer first, so that the lower ones cover it. */
function barSeries(plot: Plot, pen: Pen): DrawnPlotSeries[] {
  const { bars } = pen.page.uPlot.paths;
  const paths = bars?.({ size: [0.9, 60], radius: plot.series.length === 1 ? 0.1 : 0 });
  return plot.series.toReversed().map((series) => ({
    label: series.label,
    stroke: pen.colour(series.colour),
    fill: pen.colour(series.colour),
    width: 0,
    points: { show: false },
    value: (_, _total, _series, index) => (index === null ? "" : valueLabel(plot.yForm, series.values[index] ?? 0)),
    ...(paths ? { paths } : {}),
  }));
}

function plotOptions(plot: Plot, pen: Pen, width: number): DrawnPlotOptions {
  const isBars = plot.kind === "bars";
  const xValue = (_: DrawnPlot, value: number | null): string => {
    if (value === null) return "";
    if (!isBars) return valueLabel(plot.xForm, value);
    const [low = 0, high = 0] = plot.x.slice(Math.floor(value));
    return `${valueLabel(plot.xForm, low)} – ${valueLabel(plot.xForm, high)}`;
  };
  const colours = (isBars ? plot.series.toReversed() : plot.series).map((series) => series.colour);
  const xRange: [number, number] | null = isBars ? [0, plot.x.length - 1] : null;
  return {
    width,
    height: 260,
    padding: [isBars ? 24 : 12, isBars ? 16 : 32, 0, 0],
    scales: {
      x: { time: false, ...(xRange ? { range: xRange } : {}) },
      y: { range: (_, _low, high) => [0, high > 0 ? high * 1.08 : 1] },
    },
    axes: [xAxis(plot, pen), yAxis(plot, pen)],
    series: [
      { label: isBars ? plot.xLabel : "Time", value: xValue },
      ...(isBars ? barSeries(plot, pen) : lineSeries(plot, pen)),
    ],
    cursor: {
      y: false,
      points: { show: !isBars },
      drag: {
        x: false,
        y: false,
      },
      ...(plot.group ? { sync: { key: plot.group } } : {}),
    },
    legend: {
      markers: { width: 0, fill: (_: DrawnPlot, index: number) => pen.colour(colours[index - 1] ?? "--muted") },
    },
    hooks: { draw: [(drawn) => drawMarks(drawn, plot, pen)] },
  };
}

/** The numbers to draw: bars stand in the middle of their bin and on those below. */
function plotColumns(plot: Plot): DrawnPlotData {
  if (plot.kind === "lines") return [plot.x.slice(), ...plot.series.map((series) => series.values.slice())];
  const middles = plot.x.slice(1).map((_, bin) => bin + 0.5);
  const sums = middles.map(() => 0);
  const layers = plot.series.map((series) => {
    series.values.forEach((value, bin) => {
      sums[bin] = (sums[bin] ?? 0) + value;
    });
    return sums.slice();
  });
  return [middles, ...layers.toReversed()];
}

/** Draws the percentiles across a plot of bars. */
function drawMarks(drawn: DrawnPlot, plot: Plot, pen: Pen): void {
  const { ctx, bbox } = drawn;
  const ratio = pen.page.devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = pen.colour("--ink");
  ctx.fillStyle = pen.colour("--ink");
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 3 * ratio]);
  ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  let takenTo = Number.NEGATIVE_INFINITY;
  for (const mark of plot.marks) {
    const x = drawn.valToPos(mark.at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(mark.label).width;
    const left = Math.min(Math.max(bbox.left, x - width / 2), bbox.left + bbox.width - width);
    // A label that would cover the one before stands inside the plot.
    const isCrowded = left < takenTo + 8 * ratio;
    ctx.fillText(
      mark.label,
      isCrowded ? Math.max(left, x - width - 4 * ratio) : left,
      bbox.top + (isCrowded ? 14 : -7) * ratio,
    );
    takenTo = left + width;
  }
  ctx.restore();
}

/** Draws all plots anew, in the colours and widths of this moment. */
function drawPlots(page: PageWindow, plots: readonly Plot[], earlier: readonly DrawnPlot[]): DrawnPlot[] {
  for (const drawn of earlier) drawn.destroy();
  const style = page.getComputedStyle(page.document.documentElement);
  const pen: Pen = { page, colour: (name) => style.getPropertyValue(name).trim() };
  return plots.flatMap((plot) => {
    const place = page.document.getElementById(`plot-${plot.id}`);
    if (place === null || plot.x.length === 0) return [];
    return [new page.uPlot(plotOptions(plot, pen, place.clientWidth), plotColumns(plot), place)];
  });
}

/** Calls `redraw` when the colours or the width have changed; a printed page has the colours of paper. */
function followMedium(page: PageWindow, main: PageElement, redraw: () => void): void {
  const root = page.document.documentElement;
  let width = main.clientWidth;
  page.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  for (const [event, isPrinted] of [
    ["beforeprint", true],
    ["afterprint", false],
  ] as const) {
    page.addEventListener(event, () => {
      root.classList.toggle("printed", isPrinted);
      redraw();
    });
  }
  new page.ResizeObserver(() => {
    if (main.clientWidth === width) return;
    width = main.clientWidth;
    redraw();
  }).observe(main);
}

/** Copies the command; where a page may not do that, selects it. */
function offerCopy(page: PageWindow): void {
  const button = page.document.getElementById("copy");
  const command = page.document.getElementById("command");
  if (button === null || command === null) return;
  button.addEventListener("click", () => {
    const select = (): void => {
      const range = page.document.createRange();
      range.selectNodeContents(command);
      page.getSelection()?.removeAllRanges();
      page.getSelection()?.addRange(range);
      button.textContent = "Selected";
    };
    const copied = page.navigator.clipboard?.writeText(command.textContent ?? "");
    if (copied === undefined) select();
    else
      copied.then(() => {
        button.textContent = "Copied";
      }, select);
  });
}

function startPage(page: PageWindow): void {
  const data = page.document.getElementById("plot-data");
  const main = page.document.getElementById("report");
  if (data === null || main === null) return;
  const plots = JSON.parse(data.textContent ?? "[]") as Plot[];
  let drawn = drawPlots(page, plots, []);
  followMedium(page, main, () => {
    drawn = drawPlots(page, plots, drawn);
  });
  offerCopy(page);
}
