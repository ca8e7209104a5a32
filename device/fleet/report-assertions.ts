/** Conditions on a fleet's report, as `--assert` takes them: `p99<30s`, `redundancy<1.1`, `completed>=99%`. No IO. */
import { OtaError } from "../../shared/protocol/errors.ts";
import type { FleetReport } from "./fleet-report.ts";

/** How a figure is compared with a limit. */
export type Comparison = "<" | "<=" | ">" | ">=" | "=";

/** A condition on one figure. */
export interface ReportAssertion {
  /** As it was given. */
  readonly text: string;
  readonly figure: string;
  readonly comparison: Comparison;
  /** In the figure's own unit; of the devices when `isShare`. */
  readonly limit: number;
  /** The figure is compared as a share of all devices, 0-1. */
  readonly isShare: boolean;
}

/** Whether an assertion holds, and a sentence that says so with the figure. */
export interface AssertionResult {
  readonly holds: boolean;
  readonly message: string;
}

/** Turns a number of some unit into the figure's own; a division where a product would not be exact. */
type Conversion = (value: number) => number;

/** A figure of the report, and the units a limit on it may have. */
interface Figure {
  readonly read: (report: FleetReport) => number | null;
  /** Its own unit, in words and symbols of the report; empty for a plain number. */
  readonly unit: string;
  readonly units: Readonly<Record<string, Conversion>>;
  /** Set when a number without a unit could be misread. */
  readonly needsUnit?: boolean;
  /** Set when `%` means a share of all devices. */
  readonly hasShare?: boolean;
}

const same: Conversion = (value) => value;
const percent: Conversion = (value) => value / 100;
const times =
  (factor: number): Conversion =>
  (value) =>
    value * factor;
const MILLISECONDS = { ms: same, s: times(1000), m: times(60_000) };
const SECONDS = { ms: (value: number) => value / 1000, s: same, m: times(60) };
const BYTES = { KiB: times(1024), MiB: times(1024 ** 2) };

const FIGURES: ReadonlyMap<string, Figure> = new Map<string, Figure>([
  ["devices", { read: (report) => report.devices, unit: "", units: {} }],
  ["completed", { read: (report) => report.completed, unit: "", units: {}, hasShare: true }],
  ["failed", { read: (report) => report.failed, unit: "", units: {}, hasShare: true }],
  ["redundancy", { read: (report) => report.redundancy, unit: "", units: { "%": percent } }],
  ["seconds", { read: (report) => report.seconds, unit: "s", units: SECONDS }],
  ["megabytesPerSecond", { read: (report) => report.megabytesPerSecond, unit: "MB/s", units: {} }],
  ["p50", { read: (report) => report.p50Ms, unit: "ms", units: MILLISECONDS, needsUnit: true }],
  ["p99", { read: (report) => report.p99Ms, unit: "ms", units: MILLISECONDS, needsUnit: true }],
  ["p50Ms", { read: (report) => report.p50Ms, unit: "ms", units: MILLISECONDS }],
  ["p99Ms", { read: (report) => report.p99Ms, unit: "ms", units: MILLISECONDS }],
  ["peakBytesPerDevice", { read: (report) => report.peakBytesPerDevice, unit: "bytes", units: BYTES }],
  [
    "generatorMicrosecondsPerBlock",
    { read: (report) => report.generatorMicrosecondsPerBlock, unit: "microseconds", units: {} },
  ],
  ["requests", { read: (report) => report.requests, unit: "", units: {} }],
  ["duplicates", { read: (report) => report.duplicates, unit: "", units: {} }],
  ["timeouts", { read: (report) => report.timeouts, unit: "", units: {} }],
]);

/** What an assertion can be about. */
export const ASSERTED_FIGURES: readonly string[] = [...FIGURES.keys()];

const COMPARE: Readonly<Record<Comparison, (value: number, limit: number) => boolean>> = {
  "<": (value, limit) => value < limit,
  "<=": (value, limit) => value <= limit,
  ">": (value, limit) => value > limit,
  ">=": (value, limit) => value >= limit,
  "=": (value, limit) => value === limit,
};

/**
 * Reads `<figure><comparison><number><unit>`, with spaces allowed between. Figures are the report's own top numbers, and
 * p50 and p99 with a unit of time. Throws an InvalidArgument that says what is wrong and what is known.
 */
export function parseAssertion(text: string): ReportAssertion {
  const parts = /^\s*(\w+)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*([A-Za-z%]*)\s*$/.exec(text);
  if (parts === null) {
    throw wrong(text, "must be a figure, one of < <= > >= =, and a number, as in p99<30s or failed<=3");
  }
  const [, name = "", comparison, number, unit = ""] = parts;
  const figure = FIGURES.get(name);
  if (figure === undefined) throw wrong(text, `names ${name}; known figures are ${ASSERTED_FIGURES.join(", ")}`);
  const isShare = unit === "%" && figure.hasShare === true;
  const convert = isShare ? percent : conversionOf(figure, unit);
  if (convert === undefined || (unit === "" && figure.needsUnit)) {
    const known = unitsOf(figure);
    const allowed = known.length === 0 ? "takes no unit" : `takes ${known.join(", ")}`;
    throw wrong(text, unit === "" ? `needs a unit: ${name} ${allowed}` : `has the unit ${unit}; ${name} ${allowed}`);
  }
  return {
    text: text.trim(),
    figure: name,
    comparison: comparison as Comparison,
    limit: convert(Number(number)),
    isShare,
  };
}

/** Compares a report with an assertion; a figure that the report does not have (null) satisfies none. */
export function checkAssertion(assertion: ReportAssertion, report: FleetReport): AssertionResult {
  const figure = FIGURES.get(assertion.figure);
  const value = figure?.read(report) ?? null;
  if (value === null) {
    return { holds: false, message: `${assertion.text} does not hold: this run has no ${assertion.figure}` };
  }
  const compared = assertion.isShare ? value / report.devices : value;
  const holds = COMPARE[assertion.comparison](compared, assertion.limit);
  const shown = assertion.isShare ? `${value} of ${report.devices}` : `${value} ${figure?.unit ?? ""}`.trim();
  return {
    holds,
    message: `${assertion.text} ${holds ? "holds" : "does not hold"}: ${assertion.figure} is ${shown}`,
  };
}

function conversionOf(figure: Figure, unit: string): Conversion | undefined {
  if (unit === "") return same;
  return Object.hasOwn(figure.units, unit) ? figure.units[unit] : undefined;
}

function unitsOf(figure: Figure): string[] {
  return [...Object.keys(figure.units), ...(figure.hasShare ? ["% (of all devices)"] : [])];
}

function wrong(text: string, problem: string): OtaError {
  return new OtaError("InvalidArgument", `--assert ${JSON.stringify(text)} ${problem}`);
}
