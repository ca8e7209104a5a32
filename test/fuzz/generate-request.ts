/** Generated requests: right ones, wrong ones whose answer is known, and bytes of which only some answer is due. */
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import { byteString, concat, head, integer, MAJOR, openHead, text } from "../support/cbor-writer.ts";
import type { Draw } from "./draw.ts";
import { type Expected, expectGet, type Members } from "./expected-answer.ts";
import type { FuzzStream } from "./fuzz-streams.ts";
import type { FuzzRequest } from "./judge-answer.ts";
import { anyText, cborItem, cborMap, deepNest, jsonMap, jsonValue, mutate } from "./noise.ts";

const FORMATS: readonly Format[] = ["cbor", "json"];
const NAME_CHARACTERS = [..."abzAZ019_-"];
const BLOCK_SIZES = [256, 1000, 4096, 65_535, 65_536, 131_071, 131_072];
const NO_STREAM: FuzzStream = { streamVersion: 0, files: new Map() };
const WRONG_VALUES = [null, true, 1.5, -0.5, "", "x", "1x", [], [1, 2], [256], {}, 1e21, -1e300] as const;

/** What the requests are for. */
export interface FuzzTarget {
  readonly streams: ReadonlyMap<string, FuzzStream>;
  readonly profile: RequestProfile;
  /** Whether manifest requests are made, too. */
  readonly hasManifest: boolean;
  /** Whether requests on malformed topics are made, too: brokers do not all carry them. */
  readonly hasWrongTopics: boolean;
}

/** One request for `thing`. */
export function generateRequest(
  draw: Draw,
  thing: string,
  { streams, profile, hasManifest, hasWrongTopics }: FuzzTarget,
): FuzzRequest {
  const format = draw.one(FORMATS);
  const isKnown = draw.chance(0.9);
  const streamId = isKnown ? draw.one([...streams.keys()]) : draw.text(NAME_CHARACTERS, draw.one([1, 7, 44, 128]));
  const stream = streams.get(streamId);
  const on = (operation: string, origin: string, payload: Uint8Array): FuzzRequest => {
    return { topic: `$aws/things/${thing}/streams/${streamId}/${operation}/${format}`, origin, payload };
  };
  const known = (origin: string, members: Members): FuzzRequest => {
    const expected: Expected = expectGet(members, { format, profile, stream });
    return { ...on("get", origin, encode(draw, format, members)), expected };
  };
  const valid = (): Members => validMembers(draw, stream);
  const manifest = (): Uint8Array => encode(draw, format, { ...valid(), b: undefined });
  const misled = (): FuzzRequest => {
    return { topic: wrongTopic(draw, thing, streamId), origin: "wrong topic", payload: describePayload(draw, format) };
  };
  return draw.weighted<FuzzRequest>([
    [30, () => known("valid get", valid())],
    [25, () => known("wrong get", wrongMembers(draw, stream))],
    [15, () => on("get", "mutated", mutate(draw, encode(draw, format, valid())))],
    [12, () => on("get", "noise", noise(draw, format))],
    [6, () => on("get", "bytes", draw.bytes(draw.integer(0, 60)))],
    [5, () => on("describe", "describe", describePayload(draw, format))],
    [hasManifest ? 2 : 0, () => on("manifest", "manifest", manifest())],
    [hasWrongTopics ? 5 : 0, misled],
  ]);
}

/** Members within all limits; most often they ask for blocks that are there. */
function validMembers(draw: Draw, stream: FuzzStream = NO_STREAM): Members {
  const { streamVersion, files } = stream;
  const f = files.size > 0 && draw.chance(0.9) ? draw.one([...files.keys()]) : draw.integer(0, 255);
  const l = draw.chance(0.7) ? draw.one(BLOCK_SIZES) : draw.integer(256, 131_072);
  const blocks = Math.ceil((files.get(f)?.bytes.length ?? 0) / l);
  const members: Record<string, unknown> = { f, l };
  if (draw.chance(0.5))
    members.c = draw.chance(0.9) ? draw.text(NAME_CHARACTERS, draw.integer(0, 12)) : someToken(draw);
  if (draw.chance(0.3)) members.s = draw.chance(0.9) ? streamVersion : draw.one([0, 1, 65_535]);
  if (draw.chance(0.6)) {
    members.o = draw.weighted([
      [6, () => draw.integer(0, Math.min(98_304, blocks))],
      [2, () => draw.integer(0, 40)],
      [1, () => draw.one([98_303, 98_304])],
    ]);
  }
  if (draw.chance(0.5)) members.n = draw.chance(0.9) ? draw.integer(0, 600) : draw.one([98_303, 98_304]);
  if (draw.chance(0.4)) members.b = someBitmap(draw);
  return members;
}

/** Valid text of at most 64 bytes. */
function someToken(draw: Draw): string {
  const token = anyText(draw, 30).toWellFormed().replaceAll("\ufffd", "").replaceAll("\ufeff", "");
  return Buffer.byteLength(token) <= 64 ? token : "t".repeat(64);
}

function someBitmap(draw: Draw): Uint8Array {
  return draw.weighted([
    [10, () => draw.bytes(draw.integer(0, 16))],
    [3, () => new Uint8Array(draw.integer(0, 40))],
    [2, () => new Uint8Array(draw.integer(1, 300)).fill(0xff)],
    [1, () => new Uint8Array(12_288).fill(0x80, 12_287)],
  ]);
}

/** Members of which one, at least, is missing, out of bounds, of the wrong type or unknown. */
function wrongMembers(draw: Draw, stream: FuzzStream | undefined): Members {
  const members: Record<string, unknown> = { ...validMembers(draw, stream) };
  for (let changes = draw.integer(1, 2); changes > 0; changes--) {
    const [key, value] = draw.weighted<readonly [string, unknown]>([
      [4, () => ["l", draw.one([255, 131_073, 0, -1, 2 ** 31, 2 ** 32, 2 ** 53])]],
      [3, () => ["o", draw.one([98_305, -1, 2 ** 32, 2 ** 53])]],
      [3, () => ["n", draw.one([98_305, -1, 2 ** 32, 2 ** 53])]],
      [3, () => ["f", draw.one([256, -1, 254, 2 ** 32])]],
      [3, () => ["s", draw.one([-1, 2, 65_536, 2 ** 32, 2 ** 53])]],
      [1, () => ["b", new Uint8Array(draw.one([12_289, 20_000, 120_000]))]],
      [2, () => ["c", draw.one(["x".repeat(65), "🛰".repeat(17), "x".repeat(5000)])]],
      [2, () => [draw.one(["f", "l"]), undefined]],
      [4, () => [draw.one(["c", "s", "f", "l", "o", "n", "b"]), draw.one(WRONG_VALUES)]],
      [2, () => [draw.one(["x", "code", "clientToken", "z"]), draw.one(WRONG_VALUES)]],
    ]);
    members[key] = value;
  }
  return members;
}

function describePayload(draw: Draw, format: Format): Uint8Array {
  return draw.chance(0.5) ? encode(draw, format, draw.chance(0.5) ? { c: someToken(draw) } : {}) : noise(draw, format);
}

function noise(draw: Draw, format: Format): Uint8Array {
  if (format === "json") {
    const json = JSON.stringify(draw.chance(0.6) ? jsonMap(draw) : jsonValue(draw));
    return draw.chance(0.3) ? mutate(draw, Buffer.from(json)) : Buffer.from(json);
  }
  if (draw.chance(0.01)) return deepNest(draw);
  const item = draw.chance(0.6) ? cborMap(draw) : cborItem(draw);
  return draw.chance(0.3) ? mutate(draw, item) : item;
}

function wrongTopic(draw: Draw, thing: string, streamId: string): string {
  const prefix = `$aws/things/${thing}/streams`;
  const format = draw.one(FORMATS);
  return draw.one([
    `${prefix}/${streamId}/fetch/${format}`,
    `${prefix}/${streamId}/get/xml`,
    `${prefix}/${streamId}/get`,
    `${prefix}/${streamId}/get/${format}/more`,
    `${prefix}/${streamId}/${draw.one(["data", "description", "rejected", "checksums"])}/${format}`,
    `${prefix}/${streamId}`,
    `${prefix}/${anyText(draw, 12).replaceAll("/", "")} /get/${format}`,
    `${prefix}/${"s".repeat(129)}/get/${format}`,
    `${prefix}//get/${format}`,
    `$aws/things/${thing} x/streams/${streamId}/get/${format}`,
    `$aws/things/${thing}/jobs/get`,
    `other/${thing}`,
  ]);
}

/** A map as devices write it: keys in any order, CBOR heads definite or not, JSON numbers and hex in any spelling. */
function encode(draw: Draw, format: Format, members: Members): Uint8Array {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  if (draw.chance(0.3)) entries.reverse();
  if (format === "json")
    return Buffer.from(JSON.stringify(Object.fromEntries(entries.map((entry) => spell(draw, entry)))));
  const items = entries.flatMap(([key, value]) => [text(key), cborValue(value)]);
  return draw.chance(0.5)
    ? concat(head(MAJOR.map, entries.length), ...items)
    : concat(openHead(MAJOR.map), ...items, Uint8Array.of(0xff));
}

function spell(draw: Draw, [key, value]: [string, unknown]): [string, unknown] {
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString("hex");
    return [key, draw.one(["0x", "0X", ""]) + (draw.chance(0.5) ? hex : hex.toUpperCase())];
  }
  const isNumber = typeof value === "number" && Number.isSafeInteger(value);
  return [key, isNumber && draw.chance(0.1) ? String(value) : value];
}

function cborValue(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return byteString(value);
  if (typeof value === "string") return text(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return integer(value);
  if (typeof value === "number") {
    const float = Buffer.alloc(9, 0xfb);
    float.writeDoubleBE(value, 1);
    return float;
  }
  if (Array.isArray(value)) return concat(head(MAJOR.array, value.length), ...value.map(cborValue));
  if (value === null) return Uint8Array.of(0xf6);
  return value === true ? Uint8Array.of(0xf5) : head(MAJOR.map, 0);
}
