/** The stream API under load: how many streams are created a second, and how long listing 10,000 takes. */
import { openIotApi } from "../../cli/iot-api.ts";
import { percentile } from "../harness/measurement.ts";
import type { OwnServer } from "../harness/own-server.ts";

/** What was measured. */
export interface ControlPlaneFigures {
  readonly createsPerSecond: number;
  readonly createP50Ms: number;
  readonly createP99Ms: number;
  /** Pages of 250 streams. */
  readonly listPages: number;
  readonly listP50Ms: number;
  readonly listP99Ms: number;
}

const CREATES = 1_000;
const AT_ONCE = 16;
const PAGE_STREAMS = 250;

/** Creates {@link CREATES} streams of an object that is there, then lists all streams. */
export async function measureControlPlane(
  { httpUrl }: OwnServer,
  object: { bucket: string; key: string },
): Promise<ControlPlaneFigures> {
  const api = openIotApi({ endpoint: httpUrl, region: "us-east-1" });
  const creates: number[] = [];
  const startedMs = performance.now();
  let next = 0;
  const create = async (): Promise<void> => {
    for (let index = next++; index < CREATES; index = next++) {
      const atMs = performance.now();
      const files = [{ fileId: 0, ...object }];
      await api.createStream({ streamId: `created-${index}`, roleArn: "arn:aws:iam::123456789012:role/bench", files });
      creates.push(performance.now() - atMs);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, create));
  const seconds = (performance.now() - startedMs) / 1000;
  api.close();
  const pages = await listAll(httpUrl);
  const sorted = creates.toSorted((a, b) => a - b);
  return {
    createsPerSecond: CREATES / seconds,
    createP50Ms: percentile(sorted, 0.5),
    createP99Ms: percentile(sorted, 0.99),
    listPages: pages.length,
    listP50Ms: percentile(pages, 0.5),
    listP99Ms: percentile(pages, 0.99),
  };
}

/** How long each page took, in milliseconds, sorted. */
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
  return pagesMs.sort((a, b) => a - b);
}
