/** The CRC-32 of a file from those of its blocks, in whatever order they come. No IO. */
import { blockLength, countBlocks } from "../../shared/protocol/blocks.ts";

/** CRC-32's polynomial (ISO 3309), its highest power left out, bits reversed: bit 31 is the coefficient of x^0. */
const POLYNOMIAL = 0xedb8_8320;
/** The polynomial 1. */
const ONE = 0x8000_0000;
/** The polynomial x^8: what one more byte multiplies a CRC by. */
const ONE_BYTE = 0x0080_0000;
/** How many files' operators are kept. */
const MAX_PLANS = 64;

/**
 * The product of two polynomials over GF(2), modulo that of CRC-32; unsigned. It is made for every block that does not
 * follow the one before it: a mask in place of a branch, which no processor can predict, takes a third of the time.
 */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b | 0;
  for (let rest = a | 0; rest !== 0; rest <<= 1) {
    product ^= factor & (rest >> 31);
    factor = (factor >>> 1) ^ (-(factor & 1) & POLYNOMIAL);
  }
  return product >>> 0;
}

/** The polynomial x^(8 * bytes): what so many further bytes multiply a CRC by. */
function shiftBy(bytes: number): number {
  let power = ONE;
  let square = ONE_BYTE;
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

/** The CRC-32 of `a` followed by `b`, from the CRC-32 of each (unsigned) and the length of `b`. */
export function combineCrc32(crcA: number, crcB: number, lengthB: number): number {
  return (multiply(shiftBy(lengthB), crcA) ^ crcB) >>> 0;
}

/**
 * What each block of a file contributes to the CRC-32 of the whole: its own CRC-32 times x^(8 * bytes after it), so
 * that the whole is the XOR of all contributions. Made once for a size and a block size, 4 bytes a block and 4 KiB, and shared.
 */
export class CrcPlan {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly blockCount: number;
  /** For each block, x^(8 * bytes after it). */
  private readonly operators: Uint32Array;
  /** For each byte of a CRC-32, lowest first, and each of its 256 values: the product with x^(8 * bytes of a block). */
  private readonly blockShift = new Uint32Array(4 * 256);

  constructor(sizeBytes: number, blockSizeBytes: number) {
    this.sizeBytes = sizeBytes;
    this.blockSizeBytes = blockSizeBytes;
    this.blockCount = countBlocks(sizeBytes, blockSizeBytes);
    this.operators = new Uint32Array(this.blockCount);
    const last = this.blockCount - 1;
    const wholeBlock = shiftBy(blockSizeBytes);
    let operator = ONE;
    for (let blockId = last; blockId >= 0; blockId--) {
      this.operators[blockId] = operator;
      const step = blockId === last ? shiftBy(blockLength(last, sizeBytes, blockSizeBytes)) : wholeBlock;
      operator = multiply(operator, step);
    }
    for (let value = 0; value < 256; value++) {
      for (let byte = 0; byte < 4; byte++)
        this.blockShift[256 * byte + value] = multiply(value << (8 * byte), wholeBlock);
    }
  }

  /** The contribution of a block of the file, unsigned; `crc32` is that of the block's bytes. */
  contribution(blockId: number, crc32: number): number {
    return multiply(crc32, this.operators[blockId] as number);
  }

  /** The CRC-32 of some bytes followed by a block of the full size, from that of each, all unsigned; a tenth of the time of a product. */
  append(crcBefore: number, crcOfBlock: number): number {
    const { blockShift } = this;
    const low = (blockShift[crcBefore & 0xff] as number) ^ (blockShift[0x100 + ((crcBefore >>> 8) & 0xff)] as number);
    const high =
      (blockShift[0x200 + ((crcBefore >>> 16) & 0xff)] as number) ^ (blockShift[0x300 + (crcBefore >>> 24)] as number);
    return (low ^ high ^ crcOfBlock) >>> 0;
  }
}

/** Keeps the plans that are in use, so that all devices of a process share them. */
export class CrcPlans {
  private readonly plans = new Map<string, CrcPlan>();

  /** The plan for a size and a block size, in bytes. */
  planFor(sizeBytes: number, blockSizeBytes: number): CrcPlan {
    const key = `${sizeBytes}/${blockSizeBytes}`;
    const known = this.plans.get(key);
    if (known !== undefined) return known;
    const plan = new CrcPlan(sizeBytes, blockSizeBytes);
    // The oldest goes; who uses it keeps it.
    if (this.plans.size >= MAX_PLANS) this.plans.delete(this.plans.keys().next().value ?? "");
    this.plans.set(key, plan);
    return plan;
  }
}
