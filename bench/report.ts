/** Turns what was measured into the table and into what is saved. No IO. */
import type { ControlPlaneFigures } from "./groups/control-plane.ts";
import type { GrowthLine } from "./groups/growth.ts";
import type { Results } from "./harness/bench-context.ts";
import type { MachineFigures } from "./harness/machine.ts";
import { type Measurement, megabytesPerSecond, type Spread, spreadOf } from "./harness/measurement.ts";
import { ROWS, type Row } from "./rows.ts";

/** A row with its figures. */
export interface RowResult extends Row {
  /** The ratio of the medians; the least and the most are of the rounds' own ratios. Or the figure as it is. */
  readonly value: Spread;
  /** How many times less processor time a block takes on the server's side. */
  readonly cpuRatio?: number;
  /** The ratio if each side had its processor to itself: bytes for the processor time of the busier side. */
  readonly busierRatio?: number;
  /** Whether the bound is kept; absent without one. */
  readonly isGood?: boolean;
}

/** A lane with its figures. */
export interface LaneResult {
  readonly name: string;
  readonly rounds: number;
  readonly megabytesPerSecond: Spread;
  readonly serverUsPerBlock: number;
  readonly receiverUsPerBlock: number;
  /** Of sessions, for each block: copies that were not needed, and retransmission timeouts. */
  readonly duplicatesPerBlock: number;
  readonly timeoutsPerBlock: number;
  readonly unfinished: number;
  /** The share of the spent processor time that the machine's host took away, the median of the rounds. */
  readonly stolenShare: number;
  /** Of the device's side alone; NaN when it is not known. */
  readonly allocatedPerBlock?: number;
}

/** Everything that one run of the benchmark saves. */
export interface BenchResult {
  readonly machine: MachineFigures;
  readonly rows: readonly RowResult[];
  readonly lanes: readonly LaneResult[];
  readonly growth?: readonly GrowthLine[];
  readonly controlPlane?: ControlPlaneFigures;
  /** What could not be measured, and why. */
  readonly failures?: readonly string[];
}

/** The rows whose lanes were measured. */
export function resultsOf(results: Results): Pick<BenchResult, "rows" | "lanes"> {
  const rows = ROWS.flatMap((row) => rowResult(row, results) ?? []);
  const lanes = Object.entries(results).filter(([, rounds]) => rounds.some(({ blocks }) => blocks > 0));
  return { rows, lanes: lanes.map(([name, rounds]) => laneResult(name, rounds)) };
}

function rowResult(row: Row, results: Results): RowResult | undefined {
  const lane = results[row.lane];
  const reference = row.reference === undefined ? undefined : results[row.reference];
  if (lane === undefined || (row.reference !== undefined && reference === undefined)) return undefined;
  const value = spreadOfRow(row, lane, reference ?? []);
  const cpu = reference && {
    cpuRatio:
      usPerByte(reference, ({ serverCpuUs }) => serverCpuUs) / usPerByte(lane, ({ serverCpuUs }) => serverCpuUs),
    busierRatio: usPerByte(reference, busierUs) / usPerByte(lane, busierUs),
  };
  if (row.bound === undefined) return { ...row, value, ...cpu };
  const isGood = row.kind === "throughput" ? value.median >= row.bound : value.median <= row.bound;
  return { ...row, value, ...cpu, isGood };
}

function spreadOfRow({ kind }: Row, lane: readonly Measurement[], reference: readonly Measurement[]): Spread {
  if (kind === "figure") return spreadOf(lane.map(({ figure = Number.NaN }) => figure));
  if (kind === "tail") return spreadOf(lane.map(({ p50Ms = Number.NaN, p99Ms = Number.NaN }) => p99Ms / p50Ms));
  const middle = middleRate(reference);
  const ratios = lane.map((each) => {
    const beside = reference.filter(({ roundBeganMs }) => roundBeganMs === each.roundBeganMs);
    return megabytesPerSecond(each) / (beside.length === 0 ? middle : middleRate(beside));
  });
  return { ...spreadOf(ratios), median: middleRate(lane) / middle };
}

function middleRate(measurements: readonly Measurement[]): number {
  return spreadOf(measurements.map(megabytesPerSecond)).median;
}

function laneResult(name: string, rounds: readonly Measurement[]): LaneResult {
  return {
    name,
    rounds: rounds.length,
    megabytesPerSecond: spreadOf(rounds.map(megabytesPerSecond)),
    serverUsPerBlock: serverUsPerBlock(rounds),
    receiverUsPerBlock: spreadOf(rounds.map(({ receiverCpuUs, blocks }) => receiverCpuUs / blocks)).median,
    duplicatesPerBlock: sum(rounds.map(({ duplicates = 0 }) => duplicates)) / sum(rounds.map(({ blocks }) => blocks)),
    timeoutsPerBlock: sum(rounds.map(({ timeouts = 0 }) => timeouts)) / sum(rounds.map(({ blocks }) => blocks)),
    unfinished: sum(rounds.map(({ unfinished = 0 }) => unfinished)),
    stolenShare: spreadOf(rounds.map(({ stolenShare = 0 }) => stolenShare)).median,
    ...allocationsOf(rounds),
  };
}

/** The median over the rounds in which nothing was collected. */
function allocationsOf(rounds: readonly Measurement[]): Pick<LaneResult, "allocatedPerBlock"> {
  if (rounds[0]?.allocatedBytes === undefined) return {};
  const known = rounds.map(({ allocatedBytes = Number.NaN, blocks }) => allocatedBytes / blocks);
  return { allocatedPerBlock: spreadOf(known.filter((bytes) => !Number.isNaN(bytes))).median };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function serverUsPerBlock(rounds: readonly Measurement[]): number {
  return spreadOf(rounds.map(({ serverCpuUs, blocks }) => serverCpuUs / blocks)).median;
}

function busierUs({ serverCpuUs, receiverCpuUs }: Measurement): number {
  return Math.max(serverCpuUs, receiverCpuUs);
}

function usPerByte(rounds: readonly Measurement[], pick: (round: Measurement) => number): number {
  return spreadOf(rounds.map((round) => pick(round) / round.bytes)).median;
}

const LANE_HEAD = [
  "lane",
  "MB/s",
  "spread",
  "server us/block",
  "receiver us/block",
  "rounds",
  "stolen",
  "dup/block",
  "timeouts/block",
];

/** The tables for people. */
export function formatResult({ machine, rows, lanes, growth, controlPlane, failures }: BenchResult): string {
  const bench = rows.map((row) => [
    row.label,
    figure(row.value.median),
    `${figure(row.value.min)}-${figure(row.value.max)}`,
    row.cpuRatio === undefined ? "" : figure(row.cpuRatio),
    row.busierRatio === undefined ? "" : figure(row.busierRatio),
    row.bound === undefined ? "" : `${row.kind === "throughput" ? ">=" : "<="} ${row.bound}`,
    row.aim === undefined ? "" : String(row.aim),
    row.isGood === undefined ? "" : row.isGood ? "ok" : "FALLS SHORT",
  ]);
  const deviceSide = lanes.filter(({ allocatedPerBlock }) => allocatedPerBlock !== undefined);
  const absolute = lanes
    .filter((lane) => !deviceSide.includes(lane))
    .map((lane) => [
      lane.name,
      figure(lane.megabytesPerSecond.median),
      `${figure(lane.megabytesPerSecond.min)}-${figure(lane.megabytesPerSecond.max)}`,
      figure(lane.serverUsPerBlock),
      figure(lane.receiverUsPerBlock),
      String(lane.rounds),
      percent(lane.stolenShare),
      lane.duplicatesPerBlock === 0 ? "" : figure(lane.duplicatesPerBlock),
      lane.timeoutsPerBlock === 0 ? "" : lane.timeoutsPerBlock.toFixed(4),
    ]);
  return [
    machineLine(machine),
    "",
    markdownTable(["row", "ratio", "spread", "by server CPU", "by busier CPU", "bound", "aim", ""], bench),
    "",
    markdownTable(LANE_HEAD, absolute),
    ...(deviceSide.length === 0 ? [] : ["", formatDeviceSide(deviceSide)]),
    ...(growth === undefined ? [] : ["", formatGrowth(growth)]),
    ...(controlPlane === undefined ? [] : ["", controlPlaneLine(controlPlane)]),
    ...(failures === undefined ? [] : ["", ...failures.map((line) => `FAILED: ${line}`)]),
  ].join("\n");
}

function formatDeviceSide(lanes: readonly LaneResult[]): string {
  return markdownTable(
    ["device side", "MB/s", "spread", "us/block", "bytes allocated/block"],
    lanes.map(
      ({ name, megabytesPerSecond: { median, min, max }, receiverUsPerBlock, allocatedPerBlock = Number.NaN }) => [
        name,
        figure(median),
        `${figure(min)}-${figure(max)}`,
        figure(receiverUsPerBlock),
        figure(allocatedPerBlock),
      ],
    ),
  );
}

function formatGrowth(lines: readonly GrowthLine[]): string {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  return markdownTable(
    ["growth", "MB/s", "server us/block", "receiver us/block", "server MiB", "receiver MiB", "kernel MiB"],
    lines.map((line) => [
      line.label,
      figure(line.megabytesPerSecond),
      figure(line.serverUsPerBlock),
      figure(line.receiverUsPerBlock),
      mebibytes(line.serverBytes),
      mebibytes(line.receiverBytes),
      mebibytes(line.kernelBytes),
    ]),
  );
}

function controlPlaneLine(figures: ControlPlaneFigures): string {
  const { createsPerSecond, createP50Ms, createP99Ms, createCpuUs, listPages, listP50Ms, listP99Ms } = figures;
  const creates = `CreateStream: ${figure(createsPerSecond)} a second, p50 ${figure(createP50Ms)} ms, p99 ${figure(createP99Ms)} ms, ${figure(createCpuUs / 1000)} ms of the server's processor`;
  return `${creates}; ListStreams, ${listPages} pages of 250: p50 ${figure(listP50Ms)} ms, p99 ${figure(listP99Ms)} ms`;
}

function machineLine(machine: MachineFigures): string {
  const { cpu, cores, memoryBytes, kernel, node, versions, pinning, disk, loadBefore, startedAt } = machine;
  const { otherShare, stolenShare } = machine;
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${startedAt}: ${cores} x ${cpu}, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, Linux ${kernel}, Node ${node}, ${known.join(", ")}`,
    `${pinning}; disk ${disk}; load before ${loadBefore.toFixed(1)}; of all processor time ${percent(otherShare)} went to other programs, and the machine's host took ${percent(stolenShare)} away`,
  ].join("\n");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function figure(value: number): string {
  if (Number.isNaN(value)) return "-";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A table in Markdown that reads well as plain text, too. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${padded.join(" | ")} |`;
  };
  const rule = `|${widths.map((width, column) => (column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
