/** What docs/PROTOCOL.md says a request of known members is answered with, worked out without the product's code. */
import type { RequestProfile } from "../../shared/protocol/decode.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import type { FuzzFile, FuzzStream } from "./fuzz-streams.ts";

/** The members of a request's map; bytes are a byte string in CBOR and hex digits in JSON. */
export type Members = Readonly<Record<string, unknown>>;

/** The right answer to a GetStream request. */
export type Expected =
  | { readonly kind: "rejected"; readonly code: RejectionCode; readonly token: string | undefined }
  | {
      readonly kind: "blocks";
      readonly file: FuzzFile;
      readonly blockIds: readonly number[];
      readonly token: string | undefined;
    };

/** Ends the reading of a request. */
class Refused extends Error {
  readonly code: RejectionCode;

  constructor(code: RejectionCode) {
    super(code);
    this.code = code;
  }
}

/** Where a request arrives. */
export interface Destination {
  readonly format: Format;
  readonly profile: RequestProfile;
  /** Undefined where there is none under the id. */
  readonly stream: FuzzStream | undefined;
}

/** Works out the answer to a GetStream request: section 2, "Order of checks", from the third step on. */
export function expectGet(members: Members, destination: Destination): Expected {
  let token: string | undefined;
  try {
    token = readToken(members);
    const { file, blockIds } = select(members, destination);
    if (file.refusal !== undefined) throw new Refused(file.refusal);
    return { kind: "blocks", file, blockIds, token };
  } catch (error) {
    if (error instanceof Refused) return { kind: "rejected", code: error.code, token };
    throw error;
  }
}

function readToken({ c }: Members): string | undefined {
  if (c === undefined) return undefined;
  if (typeof c !== "string" || Buffer.byteLength(c) > 64) throw new Refused("InvalidRequest");
  return c;
}

function select(members: Members, { format, profile, stream }: Destination): { file: FuzzFile; blockIds: number[] } {
  const [s, f, l, o, n] = ["s", "f", "l", "o", "n"].map((key) => readInteger(members[key], format));
  if (f === undefined || l === undefined) throw new Refused("InvalidRequest");
  const bits = readBits(members.b, format, profile);
  if (l < 256 || l > 131_072) throw new Refused("BlockSizeOutOfBounds");
  if (o !== undefined && (o < 0 || o > 98_304)) throw new Refused("OffsetOutOfBounds");
  if (n !== undefined && (n < 0 || n > 98_304)) throw new Refused("BlockCountLimitExceeded");
  if (bits !== undefined && bits.length > 12_288) throw new Refused("BlockBitmapLimitExceeded");
  if (stream === undefined) throw new Refused("ResourceNotFound");
  if (s !== undefined && s !== stream.streamVersion) throw new Refused("VersionMismatch");
  if (f < 0 || f > 255) throw new Refused("InvalidRequest");
  const file = stream.files.get(f);
  if (file === undefined) throw new Refused("ResourceNotFound");
  const blockIds = selectBlocks(file.bytes.length, { l, o: o ?? 0, n: n === 0 ? undefined : n, bits, profile });
  return { file, blockIds };
}

interface Selection {
  readonly l: number;
  readonly o: number;
  readonly n: number | undefined;
  readonly bits: Uint8Array | undefined;
  readonly profile: RequestProfile;
}

function selectBlocks(sizeBytes: number, { l, o, n, bits, profile }: Selection): number[] {
  const fits = Math.floor(131_072 / l);
  const fileBlocks = Math.ceil(sizeBytes / l);
  if (o >= fileBlocks) throw new Refused("ResourceNotFound");
  if (bits !== undefined && n === undefined && fits > fileBlocks && profile === "strict") {
    throw new Refused("InvalidRequest");
  }
  const asked: number[] = [];
  const most = n ?? (bits === undefined ? fits : Number.POSITIVE_INFINITY);
  const candidates = bits === undefined ? fileBlocks - o : Math.min(bits.length * 8, fileBlocks - o);
  let bytes = 0;
  for (let k = 0; k < candidates && asked.length < most; k++) {
    if (bits !== undefined && Math.floor((bits[Math.floor(k / 8)] as number) / 2 ** (k % 8)) % 2 === 0) continue;
    bytes += Math.min(l, sizeBytes - (o + k) * l);
    if (bytes > 131_072) break;
    asked.push(o + k);
  }
  if (asked.length === 0) throw new Refused("ResourceNotFound");
  return asked;
}

function readInteger(value: unknown, format: Format): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (format === "json" && typeof value === "string" && /^-?[0-9]{1,32}$/.test(value)) return Number(value);
  throw new Refused("InvalidRequest");
}

function readBits(value: unknown, format: Format, profile: RequestProfile): Uint8Array | undefined {
  if (value === undefined || value instanceof Uint8Array) return value;
  if (typeof value === "string") {
    if (format === "cbor" && profile === "strict") throw new Refused("InvalidCbor");
    const digits = value.replace(/^0[xX]/, "");
    if (digits.length % 2 === 1 || /[^0-9a-fA-F]/.test(digits)) throw new Refused("InvalidRequest");
    return Uint8Array.from({ length: digits.length / 2 }, (_, at) => Number(`0x${digits.slice(2 * at, 2 * at + 2)}`));
  }
  if (format !== "json" || profile === "strict" || !Array.isArray(value)) throw new Refused("InvalidRequest");
  const areBytes = value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  if (!areBytes) throw new Refused("InvalidRequest");
  return Uint8Array.from(value as number[]);
}
