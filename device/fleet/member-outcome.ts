/** What a fleet's devices came to, one by one and all together. No IO. */
import type { DeviceOutcome, FleetSnapshot } from "./fleet-outcome.ts";
import type { DeviceStats } from "./fleet-stats.ts";

/** What a device is, as its outcome names it. */
export type MemberTraits = Pick<DeviceOutcome, "thing" | "link" | "deviceProfile" | "client">;

/** What is looked at of a device for a snapshot. */
export interface CountedMember {
  readonly stats: DeviceStats;
  readonly isConnected: boolean;
  readonly progress: { readonly requests: number; readonly duplicates: number } | undefined;
}

/** The outcome of a device that has ended, or was stopped; `beganAtMs` is when the fleet began, in monotonic milliseconds. */
export function outcomeOf(traits: MemberTraits, stats: DeviceStats, beganAtMs: number): DeviceOutcome {
  const since = (atMs: number): number => toTenths(atMs - beganAtMs);
  const { failure } = stats;
  const isCut = failure?.code === "Interrupted";
  const code = isCut ? "Unfinished" : failure?.code;
  const message = isCut ? "the run ended before the device did" : failure?.message;
  return {
    ...traits,
    startedMs: since(stats.startedAtMs),
    ...(stats.connectedAtMs !== undefined && { connectedMs: since(stats.connectedAtMs) }),
    ...(stats.firstBlockAtMs !== undefined && { firstBlockMs: since(stats.firstBlockAtMs) }),
    ...(stats.endedAtMs !== undefined && code !== "Unfinished" && { endedMs: since(stats.endedAtMs) }),
    ...(code !== undefined && message !== undefined && { failure: { code, message } }),
    connections: stats.connections,
    reboots: stats.reboots,
    files: stats.files,
    filesWithoutDigest: stats.filesWithoutDigest,
    failedVerifications: stats.failedVerifications,
    blocks: stats.blocks,
    bytes: stats.bytes,
    sentBytes: stats.sentBytes ?? stats.receivedBytes,
    requests: stats.requests,
    duplicates: stats.duplicates,
    timeouts: stats.timeouts,
    malformedMessages: stats.malformedMessages,
  };
}

/** The whole fleet `atMs` after it began. */
export function snapshotOf(members: Iterable<CountedMember>, atMs: number): FleetSnapshot {
  const sum = { connected: 0, downloading: 0, done: 0, failed: 0 };
  const totals = { blocks: 0, bytes: 0, sentBytes: 0, duplicates: 0, requests: 0 };
  for (const { stats, isConnected, progress } of members) {
    if (isConnected) sum.connected++;
    if (stats.endedAtMs === undefined) sum.downloading += stats.firstBlockAtMs === undefined ? 0 : 1;
    else if (stats.failure === undefined) sum.done++;
    else if (stats.failure.code !== "Interrupted") sum.failed++;
    totals.blocks += stats.blocks;
    totals.bytes += stats.bytes;
    totals.sentBytes += stats.sentBytes ?? stats.receivedBytes;
    totals.duplicates += stats.duplicates + (progress?.duplicates ?? 0);
    totals.requests += stats.requests + (progress?.requests ?? 0);
  }
  return { atMs: toTenths(atMs), ...sum, ...totals };
}

/** Places of the devices, the slowest first; those that never ended are the slowest. */
export function slowestFirst(devices: readonly DeviceStats[]): number[] {
  const took = devices.map(({ failure, startedAtMs, endedAtMs = 0 }) =>
    failure?.code === "Interrupted" ? Number.MAX_VALUE : endedAtMs - startedAtMs,
  );
  const places = took.map((_, place) => place);
  return places.sort((a, b) => (took[b] as number) - (took[a] as number) || a - b);
}

/** Rounds milliseconds to tenths, which is what a report shows. */
export function toTenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
