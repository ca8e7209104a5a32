/** Decoding of what devices send: untrusted bytes to a request, or to the rejection they earn. No IO. */
import { decodeCbor } from "./cbor.ts";
import { decodeHex, decodeJson } from "./json.ts";
import {
  MAX_BITMAP_BYTES,
  MAX_BLOCK_COUNT,
  MAX_BLOCK_OFFSET,
  MAX_BLOCK_SIZE_BYTES,
  MAX_CLIENT_TOKEN_BYTES,
  MIN_BLOCK_SIZE_BYTES,
} from "./limits.ts";
import type { DescribeRequest, GetRequest } from "./messages.ts";
import { accepted, type Checked, type RejectionCode, refused } from "./rejection.ts";
import type { Format } from "./topics.ts";
import { readUsualDescribe, readUsualGet } from "./usual-get.ts";
import { WIRE_KEY } from "./wire-keys.ts";

/** How requests that deviate from the letter are met (docs/PROTOCOL.md section 2, "Two request profiles"). */
export type RequestProfile = "strict" | "lenient";

/** A decoded request and the deviations that the lenient profile forgave, each a short phrase. */
export interface Decoded<T> {
  readonly request: T;
  readonly forgiven: readonly string[];
}

const NOTHING: readonly string[] = [];

/** Decodes a describe request. */
export function decodeDescribe(
  format: Format,
  bytes: Uint8Array,
  profile: RequestProfile,
): Checked<Decoded<DescribeRequest>> {
  const usual = format === "cbor" ? readUsualDescribe(bytes) : undefined;
  return usual === undefined
    ? decodeAnyDescribe(format, bytes, profile)
    : accepted({ request: usual, forgiven: NOTHING });
}

/** Decodes a describe request as {@link decodeDescribe} does, the usual ones the long way, too. */
export function decodeAnyDescribe(
  format: Format,
  bytes: Uint8Array,
  profile: RequestProfile,
): Checked<Decoded<DescribeRequest>> {
  const reader = new RequestReader(format, profile);
  return reader.run(bytes, () => reader.token());
}

/**
 * Decodes a GetStream request. The checks run in the order of docs/PROTOCOL.md section 2: decoding, shape, then l, o, n
 * and b; what follows is the publisher's to say, the range of f included, because s comes before it.
 */
export function decodeGet(format: Format, bytes: Uint8Array, profile: RequestProfile): Checked<Decoded<GetRequest>> {
  const usual = format === "cbor" ? readUsualGet(bytes) : undefined;
  return usual === undefined ? decodeAnyGet(format, bytes, profile) : accepted({ request: usual, forgiven: NOTHING });
}

/** Decodes a GetStream request as {@link decodeGet} does, the usual ones the long way, too. */
export function decodeAnyGet(format: Format, bytes: Uint8Array, profile: RequestProfile): Checked<Decoded<GetRequest>> {
  const reader = new RequestReader(format, profile);
  return reader.run(bytes, () => reader.get());
}

/** Ends the reading of a request with the code and message of its rejection. */
class Refusal extends Error {
  readonly code: RejectionCode;

  constructor(code: RejectionCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Reads the fields of one request; a `Refusal` leaves it through {@link run}, which adds the token when it was valid. */
class RequestReader {
  private readonly format: Format;
  private readonly profile: RequestProfile;
  private readonly forgiven: string[] = [];
  private map: Readonly<Record<string, unknown>> = {};
  private clientToken: string | undefined;

  constructor(format: Format, profile: RequestProfile) {
    this.format = format;
    this.profile = profile;
  }

  run<T>(bytes: Uint8Array, read: () => T): Checked<Decoded<T>> {
    try {
      this.map = this.decodeMap(bytes);
      this.clientToken = this.readToken();
      return accepted({ request: read(), forgiven: this.forgiven });
    } catch (error) {
      if (error instanceof Refusal) return refused(error.code, error.message, this.clientToken);
      throw error;
    }
  }

  token(): DescribeRequest {
    return this.clientToken === undefined ? {} : { clientToken: this.clientToken };
  }

  get(): GetRequest {
    const streamVersion = this.integer(WIRE_KEY.streamVersion, "stream version");
    const fileId = this.required(WIRE_KEY.fileId, "file id");
    const blockSizeBytes = this.required(WIRE_KEY.length, "block size");
    const blockOffset = this.integer(WIRE_KEY.blockOffset, "block offset");
    const blockCount = this.integer(WIRE_KEY.blockCount, "block count");
    const blockBitmap = this.bitmap();
    checkRange("BlockSizeOutOfBounds", "block size (l)", MIN_BLOCK_SIZE_BYTES, MAX_BLOCK_SIZE_BYTES, blockSizeBytes);
    checkRange("OffsetOutOfBounds", "block offset (o)", 0, MAX_BLOCK_OFFSET, blockOffset ?? 0);
    checkRange("BlockCountLimitExceeded", "block count (n)", 0, MAX_BLOCK_COUNT, blockCount ?? 0);
    if (blockBitmap !== undefined && blockBitmap.length > MAX_BITMAP_BYTES) {
      const message = `block bitmap (b) must be at most ${MAX_BITMAP_BYTES} bytes, not ${blockBitmap.length}`;
      throw new Refusal("BlockBitmapLimitExceeded", message);
    }
    return {
      ...this.token(),
      ...(streamVersion !== undefined && { streamVersion }),
      fileId,
      blockSizeBytes,
      ...(blockOffset !== undefined && { blockOffset }),
      ...(blockCount !== undefined && { blockCount }),
      ...(blockBitmap !== undefined && { blockBitmap }),
    };
  }

  private decodeMap(bytes: Uint8Array): Readonly<Record<string, unknown>> {
    const value = this.format === "json" ? this.decodeJsonValue(bytes) : this.decodeCborValue(bytes);
    if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Uint8Array) {
      throw new Refusal("InvalidRequest", `the request must be a map, not ${describeType(value)}`);
    }
    return value as Readonly<Record<string, unknown>>;
  }

  private decodeJsonValue(bytes: Uint8Array): unknown {
    const decoded = decodeJson(bytes);
    if (decoded === undefined) throw new Refusal("InvalidJson", `the ${bytes.length} bytes are not JSON in UTF-8`);
    return decoded.value;
  }

  private decodeCborValue(bytes: Uint8Array): unknown {
    const decoded = decodeCbor(bytes);
    if (decoded === undefined) {
      throw new Refusal("InvalidCbor", `the ${bytes.length} bytes are not one well-formed CBOR item without tags`);
    }
    if (decoded.trailingBytes > 0) {
      this.forgive("InvalidCbor", `${decoded.trailingBytes} bytes after the CBOR item`);
    }
    return decoded.value;
  }

  private readToken(): string | undefined {
    if (!this.has(WIRE_KEY.clientToken)) return undefined;
    const token = this.map[WIRE_KEY.clientToken];
    if (typeof token !== "string") {
      throw new Refusal("InvalidRequest", `client token (c) must be text, not ${describeType(token)}`);
    }
    const lengthBytes = Buffer.byteLength(token, "utf8");
    if (lengthBytes > MAX_CLIENT_TOKEN_BYTES) {
      const message = `client token (c) must be at most ${MAX_CLIENT_TOKEN_BYTES} bytes, not ${lengthBytes}`;
      throw new Refusal("InvalidRequest", message);
    }
    return token;
  }

  private required(key: string, name: string): number {
    const value = this.integer(key, name);
    if (value === undefined) throw new Refusal("InvalidRequest", `${name} (${key}) is missing`);
    return value;
  }

  private integer(key: string, name: string): number | undefined {
    if (!this.has(key)) return undefined;
    const value = this.map[key];
    if (Number.isInteger(value)) return value as number;
    // Adding 0 makes 0 of -0.
    if (this.format === "json" && typeof value === "string" && /^-?\d{1,32}$/.test(value)) return Number(value) + 0;
    throw new Refusal("InvalidRequest", `${name} (${key}) must be an integer, not ${describeType(value)}`);
  }

  private bitmap(): Uint8Array | undefined {
    if (!this.has(WIRE_KEY.blockBitmap)) return undefined;
    const value = this.map[WIRE_KEY.blockBitmap];
    if (this.format === "cbor" && value instanceof Uint8Array) return value;
    if (this.format === "json" && Array.isArray(value)) return this.byteArray(value);
    if (typeof value === "string") return this.hexBitmap(value);
    const expected = this.format === "json" ? "a hex string" : "a byte string";
    throw new Refusal("InvalidRequest", `block bitmap (b) must be ${expected}, not ${describeType(value)}`);
  }

  private hexBitmap(text: string): Uint8Array {
    if (this.format === "cbor") this.forgive("InvalidCbor", "block bitmap (b) as text");
    const bytes = decodeHex(text);
    if (bytes === undefined) {
      throw new Refusal("InvalidRequest", "block bitmap (b) must be an even number of hex digits");
    }
    return bytes;
  }

  private byteArray(values: readonly unknown[]): Uint8Array {
    this.forgive("InvalidRequest", "block bitmap (b) as an array");
    if (!values.every((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255)) {
      throw new Refusal("InvalidRequest", "block bitmap (b) as an array must hold integers from 0 to 255");
    }
    return Uint8Array.from(values as number[]);
  }

  /** Says whether the request itself has a member; what an object inherits does not count. */
  private has(key: string): boolean {
    return Object.hasOwn(this.map, key);
  }

  private forgive(code: RejectionCode, deviation: string): void {
    if (this.profile === "strict") throw new Refusal(code, `${deviation}: refused by the strict profile`);
    this.forgiven.push(deviation);
  }
}

function checkRange(code: RejectionCode, field: string, low: number, high: number, value: number): void {
  if (value >= low && value <= high) return;
  // A number's own text has an exponent from 1e21 on, and a peer may send one of 300 digits.
  const shown = Math.abs(value) < 1e32 ? BigInt(value) : "a number of more than 32 digits";
  throw new Refusal(code, `${field} must be ${low} to ${high}, not ${shown}`);
}

function describeType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Uint8Array) return "a byte string";
  if (typeof value === "object") return "a map";
  if (typeof value === "number") return Number.isFinite(value) ? "a fraction" : "a number out of range";
  return typeof value === "string" ? "text" : String(value);
}
