/** Encoding of every message but data (data-frame.ts): values to bytes, in either format. No IO. */
import { encodeCbor } from "./cbor.ts";
import { encodeDescribeCbor, encodeGetCbor } from "./encode-request-cbor.ts";
import { encodeHex, encodeJson } from "./json.ts";
import type { ChecksumsMessage, DescribeRequest, Description, GetRequest, RejectedMessage } from "./messages.ts";
import type { Format } from "./topics.ts";
import { WIRE_KEY } from "./wire-keys.ts";

type Entries = Array<[key: string, value: unknown]>;

/** Encodes a describe request: `{c?}`. */
export function encodeDescribe(format: Format, request: DescribeRequest): Uint8Array {
  const written = format === "cbor" ? encodeDescribeCbor(request) : undefined;
  return written ?? encodeMap(format, [[WIRE_KEY.clientToken, request.clientToken]]);
}

/** Encodes a description: `{c?, s, d?, r: [{f, z, crc32?, sha256?}], manifest?}`; sha256 is a byte string in CBOR and hex in JSON. */
export function encodeDescription(format: Format, description: Description): Uint8Array {
  const files = description.files.map((file) =>
    toObject([
      [WIRE_KEY.fileId, file.fileId],
      [WIRE_KEY.sizeBytes, file.sizeBytes],
      [WIRE_KEY.crc32, file.crc32],
      [WIRE_KEY.sha256, format === "json" || file.sha256 === undefined ? file.sha256 : Buffer.from(file.sha256, "hex")],
    ]),
  );
  return encodeMap(format, [
    [WIRE_KEY.clientToken, description.clientToken],
    [WIRE_KEY.streamVersion, description.streamVersion],
    [WIRE_KEY.description, description.description],
    [WIRE_KEY.files, files],
    [WIRE_KEY.manifest, description.hasManifest === true ? true : undefined],
  ]);
}

/** Adds a client token, as the first member, to a message with other members and without one. */
export function addClientToken(format: Format, message: Uint8Array, clientToken: string): Uint8Array {
  const key = WIRE_KEY.clientToken;
  if (format === "json") {
    const opening = Buffer.from(`{${JSON.stringify(key)}:${JSON.stringify(clientToken)},`);
    return Buffer.concat([opening, message.subarray(1)]);
  }
  const opening = [encodeCbor(key).slice(), encodeCbor(clientToken).slice()];
  // A map of fewer than 23 members: its head is one byte, whose low bits count them.
  return Buffer.concat([Uint8Array.of((message[0] as number) + 1), ...opening, message.subarray(1)]);
}

/** Encodes block checksums: `{c?, f, l, o, crc32s}`, big-endian, as a byte string in CBOR and hex digits in JSON. */
export function encodeChecksums(format: Format, message: ChecksumsMessage): Uint8Array {
  const bytes = Buffer.alloc(4 * message.checksums.length);
  message.checksums.forEach((checksum, index) => {
    bytes.writeUInt32BE(checksum, 4 * index);
  });
  return encodeMap(format, [
    [WIRE_KEY.clientToken, message.clientToken],
    [WIRE_KEY.fileId, message.fileId],
    [WIRE_KEY.length, message.blockSizeBytes],
    [WIRE_KEY.blockOffset, message.blockOffset],
    [WIRE_KEY.checksums, format === "json" ? encodeHex(bytes) : bytes],
  ]);
}

/** Encodes a GetStream request: `{c?, s?, f, l, o?, n?, b?}`; b is a byte string in CBOR and a hex string in JSON. */
export function encodeGet(format: Format, request: GetRequest): Uint8Array {
  const { blockBitmap } = request;
  const written = format === "cbor" ? encodeGetCbor(request) : undefined;
  if (written !== undefined) return written;
  return encodeMap(format, [
    [WIRE_KEY.clientToken, request.clientToken],
    [WIRE_KEY.streamVersion, request.streamVersion],
    [WIRE_KEY.fileId, request.fileId],
    [WIRE_KEY.length, request.blockSizeBytes],
    [WIRE_KEY.blockOffset, request.blockOffset],
    [WIRE_KEY.blockCount, request.blockCount],
    [
      WIRE_KEY.blockBitmap,
      format === "json" && blockBitmap !== undefined ? `0x${encodeHex(blockBitmap)}` : blockBitmap,
    ],
  ]);
}

/**
 * Encodes a rejection with both its forms, keys in the order clientToken, c, code, o, message, m; in CBOR an
 * indefinite-length map (docs/PROTOCOL.md section 2).
 */
export function encodeRejected(format: Format, rejection: RejectedMessage): Uint8Array {
  const entries: Entries = [
    [WIRE_KEY.longClientToken, rejection.clientToken],
    [WIRE_KEY.clientToken, rejection.clientToken],
    [WIRE_KEY.longCode, rejection.code],
    [WIRE_KEY.code, rejection.code],
    [WIRE_KEY.longMessage, rejection.message],
    [WIRE_KEY.message, rejection.message],
  ];
  return format === "json" ? encodeJson(toObject(entries)) : encodeIndefiniteMap(entries);
}

function encodeMap(format: Format, entries: Entries): Uint8Array {
  return format === "json" ? encodeJson(toObject(entries)) : encodeCbor(toObject(entries));
}

/** cbor-x writes no indefinite maps, so the frame is ours and the members are its. */
function encodeIndefiniteMap(entries: Entries): Uint8Array {
  const members = entries
    .filter(([, value]) => value !== undefined)
    .flatMap(([key, value]) => [encodeCbor(key).slice(), encodeCbor(value).slice()]);
  return Buffer.concat([Uint8Array.of(0xbf), ...members, Uint8Array.of(0xff)]);
}

function toObject(entries: Entries): Record<string, unknown> {
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
