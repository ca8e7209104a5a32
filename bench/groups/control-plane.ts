/** The stream API under load: how many streams are created a second, and how long listing 10,000 takes. */
import { openIotApi } from "../../cli/iot-api.ts";
import type { BenchContext } from "../harness/bench-context.ts";
import { percentile } from "../harness/measurement.ts";
import { type OwnServer, REGION, ROLE_ARN, startOwnServer } from "../harness/own-server.ts";
import { cpuMicroseconds } from "../harness/process-figures.ts";
import { ONE_FILE } from "./one-device.ts";

/** What was measured. */
export interface ControlPlaneFigures {
  readonly createsPerSecond: number;
  readonly createP50Ms: number;
  readonly createP99Ms: number;
  /** The server's processor time for one, the embedded S3 server's part included. */
  readonly createCpuUs: number;
  /** Pages of 250 streams. */
  readonly listPages: number;
  readonly listP50Ms: number;
  readonly listP99Ms: number;
}

const AT_ONCE = 16;
const LISTED = 10_000;
const PAGE_STREAMS = 250;
/** How often all streams are listed. */
const LISTINGS = 3;

/** Creates streams of an object that is there, on a server of its own, then lists 10,000 streams. */
export async function measureControlPlane(context: BenchContext): Promise<ControlPlaneFigures> {
  const { group, directory, pace, report, source } = context;
  const own = await startOwnServer(group, directory);
  try {
    await own.publish(ONE_FILE, source);
    const object = await own.objectOf(ONE_FILE);
    const creates = await create(own, pace.creates, object);
    report(`${pace.creates} streams created`);
    await own.registerLike(ONE_FILE, LISTED - 1 - pace.creates);
    report(`${LISTED} streams to list`);
    const pages: number[] = [];
    for (let listing = 0; listing < LISTINGS; listing++) pages.push(...(await listAll(own.httpUrl)));
    const sorted = pages.sort((a, b) => a - b);
    return {
      ...creates,
      listPages: sorted.length,
      listP50Ms: percentile(sorted, 0.5),
      listP99Ms: percentile(sorted, 0.99),
    };
  } finally {
    await group.end(own.pids);
  }
}

async function create({ httpUrl, pids }: OwnServer, count: number, object: { bucket: string; key: string }) {
  const api = openIotApi({ endpoint: httpUrl, region: REGION });
  const milliseconds: number[] = [];
  const cpuUs = cpuMicroseconds(pids);
  const startedMs = performance.now();
  let next = 0;
  const createNext = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const atMs = performance.now();
      const files = [{ fileId: 0, ...object }];
      await api.createStream({ streamId: `created-${index}`, roleArn: ROLE_ARN, files });
      milliseconds.push(performance.now() - atMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, createNext));
  } finally {
    api.close();
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const sorted = milliseconds.sort((a, b) => a - b);
  return {
    createsPerSecond: count / seconds,
    createP50Ms: percentile(sorted, 0.5),
    createP99Ms: percentile(sorted, 0.99),
    createCpuUs: (cpuMicroseconds(pids) - cpuUs) / count,
  };
}

/** How long each page took, in milliseconds. */
async function listAll(httpUrl: string): Promise<number[]> {
  const pagesMs: number[] = [];
  let nextToken: string | undefined;
  do {
    const atMs = performance.now();
    const query = new URLSearchParams({
      maxResults: String(PAGE_STREAMS),
      ...(nextToken !== undefined && { nextToken }),
    });
    const response = await fetch(`${httpUrl}/streams?${query}`);
    if (!response.ok) throw new Error(`ListStreams answered ${response.status}: ${await response.text()}`);
    ({ nextToken } = (await response.json()) as { nextToken?: string });
    pagesMs.push(performance.now() - atMs);
  } while (nextToken !== undefined);
  return pagesMs;
}
