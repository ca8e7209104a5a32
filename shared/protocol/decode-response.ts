/** Decoding of what a publisher sends: untrusted bytes to a description, a data message or a rejection, or nothing. No IO. */
import { decodeCbor } from "./cbor.ts";
import { isFileId, isStreamVersion } from "./ids.ts";
import { decodeBase64, decodeHex, decodeJson, encodeHex } from "./json.ts";
import type { ChecksumsMessage, DataMessage, DescribedFile, Description, RejectedMessage } from "./messages.ts";
import { REJECTION_CODES, type RejectionCode } from "./rejection.ts";
import type { Format } from "./topics.ts";
import { WIRE_KEY } from "./wire-keys.ts";

type Members = Readonly<Record<string, unknown>>;

/** Decodes a description; undefined when the bytes are not one. Digests that are malformed make it undefined, too. */
export function decodeDescription(format: Format, bytes: Uint8Array): Description | undefined {
  const members = decodeMembers(format, bytes);
  const streamVersion = members?.[WIRE_KEY.streamVersion];
  const entries = members?.[WIRE_KEY.files];
  if (members === undefined || !isStreamVersion(streamVersion) || !Array.isArray(entries)) return undefined;
  const files = entries.map((entry) => readFile(format, entry));
  if (!files.every((file) => file !== undefined)) return undefined;
  const description = readText(members[WIRE_KEY.description]);
  const hasManifest = members[WIRE_KEY.manifest] === true;
  return {
    ...readToken(members),
    streamVersion,
    ...(description !== undefined && { description }),
    files,
    ...(hasManifest && { hasManifest }),
  };
}

/** Decodes block checksums; undefined when the bytes are none. */
export function decodeChecksums(format: Format, bytes: Uint8Array): ChecksumsMessage | undefined {
  const members = decodeMembers(format, bytes);
  if (members === undefined) return undefined;
  const fileId = members[WIRE_KEY.fileId];
  const blockSizeBytes = members[WIRE_KEY.length];
  const blockOffset = members[WIRE_KEY.blockOffset];
  const packed = readBytes(format, members[WIRE_KEY.checksums], decodeHex);
  if (!isFileId(fileId) || !isCount(blockSizeBytes) || !isCount(blockOffset)) return undefined;
  if (packed === undefined || packed.length === 0 || packed.length % 4 !== 0) return undefined;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const checksums = Uint32Array.from({ length: packed.length / 4 }, (_, index) => view.getUint32(4 * index));
  return { ...readToken(members), fileId, blockSizeBytes, blockOffset, checksums };
}

/** Decodes a data message; undefined when the bytes are not one, or when `l` is not the length of `p`. */
export function decodeData(format: Format, bytes: Uint8Array): DataMessage | undefined {
  const members = decodeMembers(format, bytes);
  if (members === undefined) return undefined;
  const fileId = members[WIRE_KEY.fileId];
  const blockId = members[WIRE_KEY.blockId];
  const payload = readBytes(format, members[WIRE_KEY.payload], decodeBase64);
  if (!isFileId(fileId) || !isCount(blockId) || payload === undefined) return undefined;
  if (members[WIRE_KEY.length] !== payload.length) return undefined;
  return { ...readToken(members), fileId, blockId, payload };
}

/** Decodes a rejection, in its short or its long form; undefined when the bytes are not one. */
export function decodeRejected(format: Format, bytes: Uint8Array): RejectedMessage | undefined {
  const members = decodeMembers(format, bytes);
  if (members === undefined) return undefined;
  const code = members[WIRE_KEY.code] ?? members[WIRE_KEY.longCode];
  if (!REJECTION_CODES.includes(code as RejectionCode)) return undefined;
  const message = readText(members[WIRE_KEY.message]) ?? readText(members[WIRE_KEY.longMessage]) ?? "";
  const clientToken = readText(members[WIRE_KEY.clientToken]) ?? readText(members[WIRE_KEY.longClientToken]);
  return { ...(clientToken !== undefined && { clientToken }), code: code as RejectionCode, message };
}

function decodeMembers(format: Format, bytes: Uint8Array): Members | undefined {
  const value = (format === "json" ? decodeJson(bytes) : decodeCbor(bytes))?.value;
  return isMembers(value) ? value : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function readFile(format: Format, value: unknown): DescribedFile | undefined {
  if (!isMembers(value)) return undefined;
  const fileId = value[WIRE_KEY.fileId];
  const sizeBytes = value[WIRE_KEY.sizeBytes];
  const crc32 = value[WIRE_KEY.crc32];
  const sha256 = value[WIRE_KEY.sha256] === undefined ? undefined : readSha256(format, value[WIRE_KEY.sha256]);
  if (!isFileId(fileId) || !isCount(sizeBytes) || sha256 === "malformed") return undefined;
  if (crc32 !== undefined && !(isCount(crc32) && crc32 <= 0xffff_ffff)) return undefined;
  return { fileId, sizeBytes, ...(crc32 !== undefined && { crc32 }), ...(sha256 !== undefined && { sha256 }) };
}

function readSha256(format: Format, value: unknown): string | "malformed" {
  const bytes = readBytes(format, value, decodeHex);
  return bytes?.length === 32 ? encodeHex(bytes) : "malformed";
}

/** Bytes as the format has them: a byte string in CBOR, text in JSON. */
function readBytes(format: Format, value: unknown, decodeText: (text: string) => Uint8Array | undefined) {
  if (format === "cbor") return value instanceof Uint8Array ? value : undefined;
  return typeof value === "string" ? decodeText(value) : undefined;
}

function readToken(members: Members): { clientToken?: string } {
  const clientToken = readText(members[WIRE_KEY.clientToken]);
  return clientToken === undefined ? {} : { clientToken };
}

function readText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
