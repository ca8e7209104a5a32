/** The flags of `npm run bench`. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { readToolFlags, refuseFlags } from "../test/support/tool-flags.ts";

/** The stalled devices come before the fleets, whose closed connections lengthen the kernel's tables for a minute. */
const GROUPS = ["one", "stalled", "fleets", "streams", "device", "control", "command", "growth"] as const;
/** What is measured one after another. */
export type GroupName = (typeof GROUPS)[number];

/** What a quick run leaves out. */
const LONG_GROUPS: readonly GroupName[] = ["command", "growth"];
const MOST_SOAK_MINUTES = 24 * 60;

const HELP = `npm run bench -- [options]
  --quick                in two to three minutes: shorter rounds, without ${LONG_GROUPS.join(" and ")}
  --only GROUP[,GROUP]   only these: ${GROUPS.join(", ")}
  --lanes LANE[;LANE]    only these lanes, and lines of growth, by their names in the tables
  --json FILE            where the results are saved, bench/results/latest.json by default
  --check                compare with saved ratios; status 1 when one is worse by more than 15 %
  --baseline FILE        the saved ones, bench/results/baseline.json by default
  --soak                 nothing but a fleet that downloads again and again for ten minutes
  --minutes N            or for so many
  --disk-directory DIR   where the agent writes, the system's temporary directory by default
`;

const inResults = (name: string): string => fileURLToPath(new URL(`./results/${name}.json`, import.meta.url));

/** What a run of the benches is to do. */
export interface BenchFlags {
  readonly isQuick: boolean;
  readonly groups: readonly GroupName[];
  /** All when absent. */
  readonly lanes?: ReadonlySet<string>;
  readonly resultPath: string;
  /** What to compare with; nothing when absent. */
  readonly baselinePath?: string;
  /** Instead of everything else. */
  readonly soakMinutes?: number;
  readonly diskDirectory: string;
}

/** Reads them; what is wrong ends the process with status 2 before anything is measured. */
export function readBenchFlags(): BenchFlags {
  const values = readToolFlags(HELP, {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    lanes: { type: "string" },
    json: { type: "string", default: inResults("latest") },
    check: { type: "boolean", default: false },
    baseline: { type: "string", default: inResults("baseline") },
    soak: { type: "boolean", default: false },
    minutes: { type: "string", default: "10" },
    "disk-directory": { type: "string", default: tmpdir() },
  });
  const { baseline, json, lanes, only, "disk-directory": diskDirectory } = values;
  if (values.check && !existsSync(baseline)) refuseFlags(`--baseline: there is no file ${baseline}`, HELP);
  if (!existsSync(diskDirectory)) refuseFlags(`--disk-directory: there is no directory ${diskDirectory}`, HELP);
  return {
    isQuick: values.quick,
    groups:
      only === undefined ? GROUPS.filter((name) => !(values.quick && LONG_GROUPS.includes(name))) : readGroups(only),
    ...(lanes !== undefined && { lanes: new Set(lanes.split(";")) }),
    resultPath: json,
    ...(values.check && { baselinePath: baseline }),
    ...(values.soak && { soakMinutes: readMinutes(values.minutes) }),
    diskDirectory,
  };
}

function readGroups(text: string): GroupName[] {
  const names = text.split(",");
  const unknown = names.find((name) => !GROUPS.some((group) => group === name));
  if (unknown !== undefined) refuseFlags(`--only: there is no group "${unknown}"`, HELP);
  return GROUPS.filter((group) => names.includes(group));
}

function readMinutes(text: string): number {
  const minutes = Number(text);
  if (minutes > 0 && minutes <= MOST_SOAK_MINUTES) return minutes;
  return refuseFlags(`--minutes must be above 0 and at most ${MOST_SOAK_MINUTES}, not "${text}"`, HELP);
}
