/** What is asked of every lane, and the answer that is right for it. */
import { DataFrame } from "../../shared/protocol/data-frame.ts";
import { type Format, formatTopic } from "../../shared/protocol/topics.ts";
import { expectGet } from "../fuzz/expected-answer.ts";
import { encodeBody } from "./asking-device.ts";
import { makeFile } from "./broker.ts";
import type { DataPacket } from "./lane.ts";

/** A request by its members; `b` is a byte string. */
interface LaneRequest {
  readonly streamId: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/** Requests, sent together unless `oneByOne`: then each follows the whole answer to the one before. */
export interface LaneCase {
  readonly name: string;
  readonly requests: (blockSizeBytes: number) => readonly LaneRequest[];
  readonly oneByOne?: true;
}

/** The streams that a server behind a lane must have, with the bytes of their files. */
export const LANE_STREAMS: ReadonlyMap<string, readonly Uint8Array[]> = new Map([
  // 131,072 divides neither size, so that the last block is short whatever a block's size is.
  ["lane-a", [makeFile(300_001), makeFile(700_003)]],
  ["lane-b", [makeFile(400_009)]],
  ["lane-long", [makeFile(16 * 131_072), makeFile(16 * 131_072 - 1)]],
]);

const MOST_BYTES = 131_072;
const A_BYTES = 300_001;

/** Bits of the first 32 blocks. */
const bits = (...blocks: number[]): Uint8Array =>
  Uint8Array.from({ length: 4 }, (_, index) =>
    blocks.filter((block) => block >> 3 === index).reduce((byte, block) => byte | (1 << (block & 7)), 0),
  );
const fromA = (members: LaneRequest["members"]): LaneRequest => ({ streamId: "lane-a", members: { f: 0, ...members } });

/** Every case, for every block size. */
export const LANE_CASES: readonly LaneCase[] = [
  { name: "one block", requests: (l) => [fromA({ l, o: 1, n: 1 })] },
  { name: "a bitmap with holes", requests: (l) => [fromA({ l, o: 1, b: bits(0, 2, 3, 7, 8, 21, 31) })] },
  { name: "a bitmap whose count caps it", requests: (l) => [fromA({ l, o: 0, b: bits(0, 1, 5, 9), n: 2 })] },
  { name: "as many bytes as one answer may have", requests: (l) => [fromA({ f: 1, l })] },
  { name: "as many blocks as one answer may have", requests: (l) => [fromA({ f: 1, l, o: 0, n: 512 })] },
  {
    name: "the last block, which is short",
    requests: (l) => [fromA({ l, o: Math.floor(A_BYTES / l), n: 7 })],
  },
  { name: "a client token of 64 bytes", requests: (l) => [fromA({ l, c: "t".repeat(64), n: 3 })] },
  { name: "a client token of 64 bytes in 32 letters", requests: (l) => [fromA({ l, c: "é".repeat(32), n: 3 })] },
  {
    name: "a request again after its answer",
    requests: (l) => [fromA({ l, c: "again" }), fromA({ l, c: "again" })],
    oneByOne: true,
  },
  { name: "a request again at once", requests: (l) => [fromA({ l, c: "again" }), fromA({ l, c: "again" })] },
  { name: "overlapping requests with one token", requests: (l) => overlapping(l, "same", "same") },
  { name: "overlapping requests with two tokens", requests: (l) => overlapping(l, "first", "second") },
  {
    name: "two streams at once",
    requests: (l) => [fromA({ l, c: "a" }), { streamId: "lane-b", members: { f: 0, l, c: "b" } }],
  },
  { name: "two files of a stream at once", requests: (l) => [fromA({ l }), fromA({ f: 1, l })] },
];

/**
 * As many requests as may wait for one device, each for a whole answer: in JSON 5.4 MB, which is more than the kernel keeps
 * for a connection that is not read.
 */
export const LONG_REQUESTS: readonly LaneRequest[] = Array.from({ length: 31 }, (_, index) => ({
  streamId: "lane-long",
  members: { f: index >> 4, l: 4096, o: 32 * (index % 16), n: 32 },
}));

/** Two whole answers of which the second begins in the middle of the first. */
function overlapping(l: number, first: string, second: string): LaneRequest[] {
  const half = Math.floor(MOST_BYTES / l / 2);
  return [fromA({ l, c: first }), fromA({ l, c: second, o: half })];
}

/** A request as a thing sends it. */
export function encodeLaneRequest(thing: string, format: Format, { streamId, members }: LaneRequest) {
  return { topic: formatTopic(thing, streamId, "get", format), payload: encodeBody(format, members) };
}

/**
 * The right answer of `count` packets to requests that arrive together; the one of another count when there is none. How
 * much of the first answer has left when the second request comes is the network's affair, so that several counts are
 * right: what is still owed of the first is not owed twice, it stays where it is when the tokens are the same and moves to
 * the second answer when they are not.
 */
export function rightAnswer(
  thing: string,
  format: Format,
  requests: readonly LaneRequest[],
  count: number,
): DataPacket[] {
  const asked = requests.map((request) => askedBlocks(format, request));
  const [first = [], second = []] = asked;
  const choices = canMeet(requests)
    ? Array.from({ length: first.length + 1 }, (_, sent) => meeting(first, second, sent, isSame(requests, "c")))
    : [asked];
  const fitting = choices.find((parts) => parts.reduce((sum, { length }) => sum + length, 0) === count);
  const parts = fitting ?? (choices.at(-1) as number[][]);
  return requests.flatMap((request, index) => packetsOf(thing, format, request, parts[index] as number[]));
}

/** What each of two requests is answered with when the second comes after `sent` blocks of the first answer. */
function meeting(
  first: readonly number[],
  second: readonly number[],
  sent: number,
  isSameToken: boolean,
): (readonly number[])[] {
  const asked = new Set(second);
  const owedTwice = new Set(first.slice(sent).filter((blockId) => asked.has(blockId)));
  const isOnce = (blockId: number): boolean => !owedTwice.has(blockId);
  return isSameToken ? [first, second.filter(isOnce)] : [first.filter(isOnce), second];
}

/** Says whether these are two requests for blocks of one file. */
function canMeet(requests: readonly LaneRequest[]): boolean {
  const isOneStream = requests[0]?.streamId === requests[1]?.streamId;
  return requests.length === 2 && isOneStream && isSame(requests, "f") && isSame(requests, "l");
}

function isSame([first, second]: readonly LaneRequest[], key: string): boolean {
  return first?.members[key] === second?.members[key];
}

function askedBlocks(format: Format, { streamId, members }: LaneRequest): readonly number[] {
  const files = new Map(LANE_STREAMS.get(streamId)?.map((bytes, fileId) => [fileId, { bytes }]));
  const expected = expectGet(members, { format, profile: "lenient", stream: { streamVersion: 0, files } });
  if (expected.kind === "rejected") throw new Error(`the case asks for a rejection: ${expected.code}`);
  return expected.blockIds;
}

function packetsOf(thing: string, format: Format, request: LaneRequest, blockIds: readonly number[]): DataPacket[] {
  const { streamId, members } = request;
  const { c, f, l } = members as { c?: string; f: number; l: number };
  const bytes = LANE_STREAMS.get(streamId)?.[f] as Uint8Array;
  const frame = new DataFrame({ format, clientToken: c, fileId: f });
  const topic = formatTopic(thing, streamId, "data", format);
  return blockIds.map((blockId) => {
    const payload = Buffer.from(frame.encode(blockId, bytes.subarray(blockId * l, (blockId + 1) * l)));
    return { topic, payload, qos: 0, dup: false, retain: false };
  });
}
