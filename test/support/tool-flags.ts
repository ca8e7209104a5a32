/** The flags of a developer's tool: what is wrong with them ends it with a sentence and its help, and status 2. */
import { type ParseArgsConfig, parseArgs } from "node:util";

const MOST_SEED = 0xffff_ffff;

/** Reads the flags of this process. `--help` shows the help and ends it, status 0. */
export function readToolFlags<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  help: string,
  options: Options,
) {
  if (process.argv.includes("--help")) {
    process.stdout.write(help);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    // Behind the first sentence it explains how to pass the flag on to somebody else.
    return refuseFlags((error as Error).message.split(". ", 1)[0] ?? "", help);
  }
}

/** Says what is wrong and ends the process. */
export function refuseFlags(reason: string, help: string): never {
  process.stderr.write(`${reason}\n\n${help}`);
  process.exit(2);
}

/** Reads a whole number within bounds, decimal or with `0x`; ends the process for anything else. */
export function readToolNumber(
  flag: string,
  text: string,
  { least, most, help }: { readonly least: number; readonly most: number; readonly help: string },
): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  return refuseFlags(`${flag} must be a whole number from ${least} to ${most}, not "${text}"`, help);
}

/** Reads a seed of 32 bits, if there is one. */
export function readToolSeed(text: string | undefined, help: string): number | undefined {
  return text === undefined ? undefined : readToolNumber("--seed", text, { least: 0, most: MOST_SEED, help });
}
