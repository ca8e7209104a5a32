/** Reading of the fleet's own command-line values: shares, durations, rates and mixes. */
import type { MixPart } from "../../device/fleet/fleet-plan.ts";
import { OtaError } from "../../shared/protocol/errors.ts";

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const BYTES_PER_SECOND: Readonly<Record<string, number>> = {
  "": 1,
  kB: 1000,
  MB: 1_000_000,
  kbit: 1000 / 8,
  Mbit: 1_000_000 / 8,
};
const LONGEST_MS = 24 * 3_600_000;
const MOST_BYTES_PER_SECOND = 1e10;

/** Makes a parser of shares: `5%` or `0.05`, 0 to 1. */
export function shareOf(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
    const value = Number(match?.[1]) / (match?.[2] === "%" ? 100 : 1);
    if (value >= 0 && value <= 1) return value;
    throw invalid(flag, "a share from 0 to 1, like 0.05 or 5%", text);
  };
}

/** Makes a parser of durations: a number and `ms`, `s`, `m` or `h`; gives milliseconds, 1 to 24 hours. */
export function durationOf(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
    const value = Number(match?.[1]) * (MILLISECONDS[match?.[2] ?? ""] ?? Number.NaN);
    if (value >= 1 && value <= LONGEST_MS) return value;
    throw invalid(flag, "a time from 1ms to 24h, like 250ms, 30s, 5m or 1h", text);
  };
}

/** Makes a parser of rates: bytes a second, or a number and `kB`, `MB`, `kbit` or `Mbit`; gives bytes a second. */
export function bandwidthOf(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(kB|MB|kbit|Mbit|)$/.exec(text);
    const value = Number(match?.[1]) * (BYTES_PER_SECOND[match?.[2] ?? ""] ?? Number.NaN);
    if (value >= 1 && value <= MOST_BYTES_PER_SECOND) return value;
    throw invalid(flag, "bytes a second, from 1 to 10000 MB, like 32000, 32kB or 250kbit", text);
  };
}

/** Makes a parser of seeds: 32 bits, decimal or with `0x`. */
export function seedOf(flag: string): (text: string) => number {
  return (text) => {
    const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (value <= 0xffff_ffff) return value;
    throw invalid(flag, "an integer from 0 to 4294967295, decimal or hex with 0x", text);
  };
}

/** Makes a parser of mixes like `lte-m:70,nb-iot:30`, of names that are known; a name without a share has 1. */
export function mixOf(flag: string, names: readonly string[]): (text: string) => MixPart[] {
  return (text) => {
    const parts = text.split(",").map((part): MixPart => {
      const [name = "", shareText = "1", ...more] = part.split(":");
      const share = /^\d+(\.\d+)?$/.test(shareText) ? Number(shareText) : Number.NaN;
      if (!names.includes(name)) throw invalid(flag, `made of ${names.join(", ")}`, name);
      if (!(share > 0) || more.length > 0) throw invalid(flag, "name:share,name:share with shares above 0", part);
      return { name, share };
    });
    const twice = parts.find(({ name }, index) => parts.findIndex((other) => other.name === name) !== index);
    if (twice !== undefined) throw invalid(flag, "a mix that has each name once", twice.name);
    return parts;
  };
}

function invalid(flag: string, expected: string, text: string): OtaError {
  return new OtaError("InvalidArgument", `${flag} must be ${expected}, not ${JSON.stringify(text)}`);
}
