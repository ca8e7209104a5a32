/** Request ids: what a client quotes and the log finds again. */
import type { Random } from "../../shared/random.ts";

/** Makes a version 4 UUID, lowercase with dashes, out of four draws. */
export function createRequestId(random: Random): string {
  const bytes = Buffer.alloc(16);
  for (let offset = 0; offset < 16; offset += 4) bytes.writeUInt32BE(random.uint32(), offset);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
