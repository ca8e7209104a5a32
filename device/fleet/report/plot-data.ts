/** What the page's script is handed to draw: plots as plain data. No IO. */

/** How the numbers of an axis are shown. */
export type ValueForm = "count" | "duration" | "number";

/** One line, or one layer of bars. */
export interface PlotSeries {
  readonly label: string;
  /** A custom property of the page's style sheet, such as `--series-1`. */
  readonly colour: string;
  readonly isFilled?: boolean;
  readonly isDashed?: boolean;
  /** One value for each x. */
  readonly values: readonly number[];
}

/** A line across a plot of bars, at a place counted in bins. */
export interface PlotMark {
  readonly at: number;
  readonly label: string;
}

/** One plot, drawn into the element with its id. */
export interface Plot {
  readonly id: string;
  readonly kind: "lines" | "bars";
  /** Plots of one group show the same moment under the pointer. */
  readonly group?: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly yForm: ValueForm;
  /** Milliseconds of lines; of bars, the edges of the bins, of which there is one more than values. */
  readonly x: readonly number[];
  readonly xForm: ValueForm;
  /** Which edges of bars are labelled, and how. */
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  readonly marks: readonly PlotMark[];
  /** Bars stand on one another in this order. */
  readonly series: readonly PlotSeries[];
}
