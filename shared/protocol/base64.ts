/** Base64 written straight into a message: the hot half of a JSON data message. No IO. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGITS = Uint8Array.from(ALPHABET, (digit) => digit.charCodeAt(0));
const PAD = 0x3d;

/** How many base64 characters `byteCount` bytes take, padding included. */
export function base64Length(byteCount: number): number {
  return Math.ceil(byteCount / 3) * 4;
}

/** Writes `bytes` as base64 into `target` at `offset`; returns the offset after it. */
export function writeBase64(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const whole = bytes.length - (bytes.length % 3);
  let at = offset;
  for (let index = 0; index < whole; index += 3) {
    const triple =
      ((bytes[index] as number) << 16) | ((bytes[index + 1] as number) << 8) | (bytes[index + 2] as number);
    target[at] = DIGITS[triple >>> 18] as number;
    target[at + 1] = DIGITS[(triple >>> 12) & 63] as number;
    target[at + 2] = DIGITS[(triple >>> 6) & 63] as number;
    target[at + 3] = DIGITS[triple & 63] as number;
    at += 4;
  }
  if (whole === bytes.length) return at;
  const first = bytes[whole] as number;
  const second = bytes[whole + 1];
  target[at] = DIGITS[first >>> 2] as number;
  target[at + 1] = DIGITS[((first & 3) << 4) | ((second ?? 0) >>> 4)] as number;
  target[at + 2] = second === undefined ? PAD : (DIGITS[(second & 15) << 2] as number);
  target[at + 3] = PAD;
  return at + 4;
}
