/** Learns what a stream holds: its description as the server gives it, its bytes from files or through the protocol. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DeviceLink } from "./device-link.ts";
import { gatherFacts, type StreamBasics, type StreamFacts, unmetNeeds } from "./stream-facts.ts";
import { utf8 } from "./wire.ts";

/** What {@link loadStream} needs. */
export interface LoadOptions extends Pick<StreamBasics, "thing" | "streamId" | "profile"> {
  readonly brokerUrl: string;
  /** Paths of originals by file id; what is not named is fetched and checked against the description's digest. */
  readonly originals: ReadonlyMap<number, string>;
  /** The version the stream must have, when it is known. */
  readonly streamVersion?: number;
  /** Told what is being done. */
  readonly onProgress?: (line: string) => void;
}

interface DescribedFile {
  readonly f: number;
  readonly z: number;
  readonly sha256?: string;
}

const SILENCE_MS = 2000;
const BLOCK_SIZE_BYTES = 131_072;

/** Loads the facts; rejects with one sentence when the stream or its files will not do. */
export async function loadStream(options: LoadOptions): Promise<StreamFacts> {
  const { brokerUrl, thing, streamId, profile, originals, onProgress = () => {} } = options;
  const link = await DeviceLink.connect(brokerUrl, thing);
  try {
    const prefix = `$aws/things/${thing}/streams/${streamId}`;
    for (const operation of ["description", "data", "rejected"]) await link.subscribe(`${prefix}/${operation}/json`);
    const ask = (operation: string, body: object): Promise<Record<string, unknown>> =>
      exchange(link, `${prefix}/${operation}/json`, body);
    const { s, d, r } = await ask("describe", {});
    const described = r as readonly DescribedFile[];
    const unmet = unmetNeeds(described.map(({ z }) => z));
    if (unmet.length > 0)
      throw new Error(`stream ${streamId} lacks a file of a size the rules need: ${unmet.join("; ")}`);
    const files: { fileId: number; bytes: Uint8Array }[] = [];
    for (const file of described) {
      const path = originals.get(file.f);
      if (path === undefined) onProgress(`fetching file ${file.f}, ${file.z} bytes`);
      const bytes = path === undefined ? await fetchFile(file, ask) : await readFile(path);
      checkOriginal(file, bytes, path);
      files.push({ fileId: file.f, bytes });
    }
    const streamVersion = options.streamVersion ?? (s as number);
    return gatherFacts({ thing, streamId, profile, streamVersion, description: d as string | undefined }, files);
  } finally {
    await link.close();
  }
}

async function fetchFile(
  { f, z }: DescribedFile,
  ask: (operation: string, body: object) => Promise<Record<string, unknown>>,
): Promise<Uint8Array> {
  const blocks: Buffer[] = [];
  for (let o = 0; o * BLOCK_SIZE_BYTES < z; o++) {
    const { i, p } = await ask("get", { f, l: BLOCK_SIZE_BYTES, o, n: 1 });
    if (i !== o)
      throw new Error(`file ${f}: asked for block ${o} of ${BLOCK_SIZE_BYTES} bytes, got block ${String(i)}`);
    blocks.push(Buffer.from(String(p), "base64"));
  }
  return Buffer.concat(blocks);
}

function checkOriginal({ f, z, sha256 }: DescribedFile, bytes: Uint8Array, path: string | undefined): void {
  const name = path ?? `file ${f} as fetched`;
  if (bytes.length !== z) throw new Error(`${name} has ${bytes.length} bytes, the description says ${z} of file ${f}`);
  if (sha256 === undefined) {
    if (path !== undefined) return;
    throw new Error(`the description has no sha256 of file ${f}: name its original with --file ${f}=PATH`);
  }
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== sha256.toLowerCase())
    throw new Error(`${name} has the sha256 ${actual}, the description says ${sha256}`);
}

/** Sends a request and reads the one JSON object that answers it. */
async function exchange(link: DeviceLink, topic: string, body: object): Promise<Record<string, unknown>> {
  link.take();
  link.publish(topic, utf8(JSON.stringify(body)));
  await link.until(() => link.arrived.length > 0, SILENCE_MS);
  const [answer] = link.take();
  if (answer === undefined) throw new Error(`no answer to ${topic} within ${SILENCE_MS} ms`);
  const text = answer.payload.toString("utf8");
  if (answer.topic.endsWith("/rejected/json")) throw new Error(`${topic} was rejected: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}
