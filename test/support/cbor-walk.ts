/** A second, independent reader of CBOR by RFC 8949: what an item says, where it ends, and how it was spelled. */

/** What {@link walkCbor} saw; a map is a list of pairs, so that order and repeated keys show. */
export interface Walk {
  readonly value: unknown;
  /** The index after the item's last byte. */
  readonly end: number;
  readonly tags: number;
  /** Heads that a shorter form would have said as well. */
  readonly longHeads: number;
  /** How deep the deepest item lies; 0 for an item that holds none. */
  readonly depth: number;
}

/** A map as it was written: pairs in order. */
export class WalkedMap {
  readonly pairs: ReadonlyArray<readonly [key: unknown, value: unknown]>;
  readonly indefinite: boolean;

  constructor(pairs: ReadonlyArray<readonly [unknown, unknown]>, indefinite: boolean) {
    this.pairs = pairs;
    this.indefinite = indefinite;
  }
}

class Malformed extends Error {}

/** Reads the first item; undefined when the bytes do not begin with a well-formed one. Recursion follows the nesting. */
export function walkCbor(bytes: Uint8Array): Walk | undefined {
  const walker = new Walker(bytes);
  try {
    const value = walker.item(0);
    return { value, end: walker.at, tags: walker.tags, longHeads: walker.longHeads, depth: walker.depth };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

class Walker {
  at = 0;
  tags = 0;
  longHeads = 0;
  depth = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  item(depth: number): unknown {
    this.depth = Math.max(this.depth, depth);
    const initial = this.take(1)[0] as number;
    const [major, low] = [initial >> 5, initial & 31];
    if (major === 7) return this.simple(low);
    if (low === 31) return this.indefinite(major, depth);
    const argument = this.argument(low);
    if (major === 0) return argument;
    if (major === 1) return -1n - argument;
    if (major === 2) return this.take(argument);
    if (major === 3) return this.text(argument);
    if (major === 6) return this.tagged(depth);
    const items: unknown[] = [];
    const count = major === 4 ? argument : argument * 2n;
    for (let index = 0n; index < count; index++) items.push(this.item(depth + 1));
    return major === 4 ? items : new WalkedMap(pairUp(items), false);
  }

  private tagged(depth: number): unknown {
    this.tags++;
    return this.item(depth);
  }

  private argument(low: number): bigint {
    if (low < 24) return BigInt(low);
    if (low > 27) throw new Malformed("reserved");
    const width = 2 ** (low - 24);
    const argument = BigInt(`0x${Buffer.from(this.take(width)).toString("hex")}`);
    const least = low === 24 ? 24n : 1n << BigInt(4 * width);
    if (argument < least) this.longHeads++;
    return argument;
  }

  private indefinite(major: number, depth: number): unknown {
    if (major < 2 || major === 6) throw new Malformed("no indefinite form");
    const items: unknown[] = [];
    while (!this.broken()) items.push(major < 4 ? this.chunk(major) : this.item(depth + 1));
    if (major === 2) return Uint8Array.from(Buffer.concat(items as Uint8Array[]));
    if (major === 3) return items.join("");
    if (major === 4) return items;
    if (items.length % 2 !== 0) throw new Malformed("a key without a value");
    return new WalkedMap(pairUp(items), true);
  }

  private chunk(major: number): unknown {
    const initial = this.take(1)[0] as number;
    if (initial >> 5 !== major || (initial & 31) === 31) throw new Malformed("not a chunk");
    const argument = this.argument(initial & 31);
    return major === 2 ? this.take(argument) : this.text(argument);
  }

  private broken(): boolean {
    if (this.bytes[this.at] !== 0xff) return false;
    this.at++;
    return true;
  }

  private simple(low: number): unknown {
    if (low < 24) return { simple: low };
    if (low > 27) throw new Malformed("reserved, or a break out of place");
    const bytes = this.take(2 ** (low - 24));
    if (low === 24 && (bytes[0] as number) < 32) throw new Malformed("a short simple value in a long form");
    return { simpleOrFloat: bytes };
  }

  private text(length: bigint): string {
    const raw = Buffer.from(this.take(length));
    const decoded = raw.toString("utf8");
    if (!Buffer.from(decoded).equals(raw)) throw new Malformed("not UTF-8");
    return decoded;
  }

  private take(count: number | bigint): Uint8Array {
    if (BigInt(count) > BigInt(this.bytes.length - this.at)) throw new Malformed("ends early");
    this.at += Number(count);
    return this.bytes.slice(this.at - Number(count), this.at);
  }
}

function pairUp(items: readonly unknown[]): Array<readonly [unknown, unknown]> {
  return Array.from({ length: items.length / 2 }, (_, index) => [items[2 * index], items[2 * index + 1]] as const);
}
