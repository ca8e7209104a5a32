/** The report's page in a real browser: what is drawn, what is shown, and that it stays by itself. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildReport, type FleetReport } from "../../device/fleet/fleet-report.ts";
import { renderReportHtml } from "../../device/fleet/report/report-html.ts";
import { hasChromium, startBrowser, type TestBrowser } from "../support/chromium.ts";
import { type FixtureOptions, makeFixture } from "../support/fleet-report-fixture.ts";

const PLOTS = ["completion", "throughput", "activity", "times", "redundancy"];

/** In the page: for each plot, how many of its pixels have the colour of one of its series. */
const LOOK_AT_PLOTS = `Object.fromEntries(JSON.parse(document.querySelector("#plot-data").textContent).map((plot) => {
  const canvas = document.querySelector("#plot-" + plot.id + " canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const style = getComputedStyle(document.documentElement);
  const colours = new Set(plot.series.map(({ colour }) => Number.parseInt(style.getPropertyValue(colour).trim().slice(1), 16)));
  let drawn = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    if (colours.has((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2])) drawn++;
  }
  return [plot.id, drawn];
}))`;

const LOOK_AT_CELLS = `[...document.querySelectorAll(".heat rect")].map((cell) => getComputedStyle(cell).fill)`;

const mixed: FixtureOptions = {
  seed: 8,
  devices: 50,
  failing: 0.08,
  links: [
    { name: "lte-m", share: 70 },
    { name: "nb-iot", share: 30 },
  ],
  isVirtual: true,
};
const large: FixtureOptions = { seed: 7, devices: 10_000, rampDevicesPerSecond: 2000, failing: 0.004, processes: 2 };

/** Waits until an expression holds. Not by a function in the page: its own policy forbids that from the second look on. */
async function becomesTrue(page: Page, expression: string): Promise<void> {
  await expect.poll(() => page.evaluate(expression), { timeout: 10_000 }).toBe(true);
}

describe.skipIf(!hasChromium())("the report's page", () => {
  let browser: TestBrowser;
  let directory: string;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "otastream-report-"));
    browser = await startBrowser();
    browser.context.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    browser.context.on("weberror", (error) => complaints.push(String(error.error())));
    browser.context.on("request", (request) => requests.push(request.url()));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function open(report: FleetReport, width = 1280, colorScheme: "light" | "dark" = "light"): Promise<Page> {
    const path = join(directory, `report-${requests.length}.html`);
    writeFileSync(path, renderReportHtml(report));
    const page = await browser.context.newPage();
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    complaints.length = 0;
    requests.length = 0;
    await page.goto(pathToFileURL(path).href);
    return page;
  }

  function reportOf(options: FixtureOptions): FleetReport {
    const { plan, outcomes, facts } = makeFixture(options);
    return buildReport(plan, outcomes, facts);
  }

  async function expectDrawn(page: Page, name: string): Promise<void> {
    await page.screenshot({
      path: join(process.env.OTASTREAM_SCREENSHOTS ?? directory, `${name}.png`),
      fullPage: true,
    });
    const plots = await page.evaluate<Record<string, number>>(LOOK_AT_PLOTS);
    expect(Object.keys(plots)).toEqual(PLOTS);
    for (const pixels of Object.values(plots)) expect(pixels).toBeGreaterThan(50);
    const cells = await page.evaluate<string[]>(LOOK_AT_CELLS);
    expect(cells).toHaveLength(20 * 64);
    expect(new Set(cells).size).toBeGreaterThan(6);
    expect(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")).toBe(0);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([page.url()]);
  }

  it.each([
    ["mixed links, wide and light", mixed, 1280, "light"],
    ["mixed links, narrow and dark", mixed, 380, "dark"],
    ["10,000 devices, wide and dark", large, 1280, "dark"],
    ["10,000 devices, narrow and light", large, 380, "light"],
  ] as const)("draws every plot: %s", async (name, options, width, scheme) => {
    const page = await open(reportOf(options), width, scheme);
    await expectDrawn(page, name.replaceAll(/\W+/g, "-"));
    await page.close();
  });

  it("shows the figures of the report", async () => {
    const report = reportOf(large);
    const page = await open(report);
    const shown = async (field: string): Promise<string | null> => page.textContent(`[data-field="${field}"]`);
    const numberIn = async (field: string): Promise<number> =>
      Number.parseFloat(((await shown(field)) ?? "").replace(",", ""));
    expect(await numberIn("completed")).toBe(report.completed);
    expect(await numberIn("failed")).toBe(report.failed);
    expect(await shown("p50Ms")).toBe(`${Number(((report.p50Ms ?? 0) / 1000).toPrecision(3))} s`);
    expect(await shown("p99Ms")).toBe(`${Number(((report.p99Ms ?? 0) / 1000).toPrecision(3))} s`);
    expect(await shown("redundancy")).toBe(report.redundancy?.toFixed(3));
    expect(await numberIn("seconds")).toBeCloseTo(report.seconds, 1);
    expect(await numberIn("megabytesPerSecond")).toBe(Number(report.megabytesPerSecond.toPrecision(3)));
    expect(await numberIn("peakBytesPerDevice")).toBe(Number(((report.peakBytesPerDevice ?? 0) / 1024).toPrecision(3)));
    expect(await page.textContent("#command")).toBe(report.command);
    for (const { things } of report.failures) expect(await page.textContent(".failures")).toContain(things[0]);
    await page.close();
  });

  it("draws anew when the width, the colours or the medium change", async () => {
    const page = await open(reportOf(mixed));
    await page.setViewportSize({ width: 380, height: 900 });
    await becomesTrue(page, `document.querySelector("#plot-times canvas").clientWidth < 380`);
    await page.emulateMedia({ colorScheme: "dark" });
    await expectDrawn(page, "changed");
    await page.evaluate(`dispatchEvent(new Event("beforeprint"))`);
    await becomesTrue(page, `document.querySelector("#plot-completion canvas").clientWidth > 600`);
    await page.evaluate(`dispatchEvent(new Event("afterprint"))`);
    await expectDrawn(page, "after printing");
    await page.close();
  });

  it("offers the command", async () => {
    const page = await open(reportOf(mixed));
    await page.click("#copy");
    await becomesTrue(page, `/^(Copied|Selected)$/.test(document.querySelector("#copy").textContent)`);
    await page.close();
  });

  it("shows runs in which next to nothing happened", async () => {
    const { plan, facts, outcomes } = makeFixture({ seed: 1, devices: 1 });
    const brief = outcomes.map((outcome) => ({ ...outcome, timeline: outcome.timeline.slice(0, 1) }));
    for (const report of [buildReport(plan, [], facts), buildReport(plan, brief, facts)]) {
      const page = await open(report);
      expect(await page.textContent('[data-field="completed"]')).toBe(String(report.completed));
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  it("runs nothing that a name or a message says", async () => {
    const hostile = `</script><img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`;
    const report = reportOf(mixed);
    const failures = [{ code: "NoProgress", count: 1, message: hostile, things: [hostile] }];
    const perDevice = report.perDevice.map((device) => ({
      ...device,
      thing: hostile,
      link: `${hostile}${device.link}`,
    }));
    const page = await open({ ...report, command: hostile, limits: [hostile], failures, perDevice });
    expect(await page.title()).not.toBe("broken");
    expect(await page.evaluate(`document.querySelectorAll("img, script:not([type])").length`)).toBe(2);
    expect(await page.textContent(".failures code")).toBe("NoProgress");
    expect(await page.textContent("#command")).toBe(hostile);
    await expectDrawn(page, "hostile");
    await page.close();
  });
});
