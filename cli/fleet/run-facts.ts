/** What a fleet's report says of the run besides its outcome: the machine, the versions, the command that repeats it. */
import { cpus, release, totalmem, type } from "node:os";
import type { FleetReport, FleetRunFacts } from "../../device/fleet/fleet-report.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { FleetFlags } from "./fleet-flags.ts";

/** What is known when a run is over. */
export interface RunDescription {
  readonly flags: FleetFlags;
  readonly startedAtMs: number;
  readonly interrupted: boolean;
  readonly incidents: readonly string[];
  readonly server?: NonNullable<FleetReport["server"]>;
}

const GIBIBYTE = 1024 ** 3;
/** The scheme of a URL, and the user and password after it. */
const URL_SECRETS = /^((?:--broker=)?\w+:\/\/)[^/]*@/;
const NO_SECRETS = "$1USER:PASSWORD@";

/** Describes a run; of a virtual one nothing that depends on the machine. */
export function describeRun({ flags, startedAtMs, interrupted, incidents, server }: RunDescription): FleetRunFacts {
  const { virtual, seed } = flags;
  const { aedes, mqtt } = packageJson.dependencies;
  const machine = {
    startedAt: new Date(startedAtMs).toISOString(),
    cpus: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown"}`,
    memoryGibibytes: Math.round((totalmem() / GIBIBYTE) * 10) / 10,
    system: `${type()} ${release()}`,
  };
  return {
    command: formatCommand(process.argv.slice(2), seed),
    ...(!virtual && { machine }),
    versions: { otastream: packageJson.version, ...(!virtual && { node: process.versions.node, aedes, mqtt }) },
    isVirtual: virtual,
    interrupted,
    incidents,
    ...(server !== undefined && { server }),
  };
}

/** The command line as a shell takes it, with the seed that was drawn when none was given, and words in place of secrets. */
export function formatCommand(args: readonly string[], seed: number): string {
  const hasSeed = args.some((arg) => arg === "--seed" || arg.startsWith("--seed="));
  const words = args.map((arg) => arg.replace(URL_SECRETS, NO_SECRETS));
  return ["otastream", ...words, ...(hasSeed ? [] : ["--seed", `${seed}`])].map(quote).join(" ");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
