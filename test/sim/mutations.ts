/** `npm run sim:mutations`: breaks one rule of the product at a time, in a copy, and shows that the simulator notices. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Mutation {
  /** The rule that is broken. */
  readonly rule: string;
  readonly file: string;
  /** Text that stands in the file once, and what replaces it. */
  readonly find: string;
  readonly replace: string;
}

const MUTATIONS: readonly Mutation[] = [
  {
    rule: "a duplicate never triggers a request",
    file: "device/protocol/stream-download.ts",
    find: "if (this.keepIfNew(input, nowMs)) this.goOn(nowMs);",
    replace: "this.keepIfNew(input, nowMs);\n    this.ask(nowMs, true);",
  },
  {
    rule: "a timer is armed with every send",
    file: "device/protocol/stream-download.ts",
    find: `this.command({ do: "publishGet", request });\n    this.armTimer(nowMs);`,
    replace: `this.command({ do: "publishGet", request });\n    this.disarmTimer();`,
  },
  {
    rule: "an image that fails its digest is not accepted",
    file: "device/file-receiver.ts",
    find: "const verification = await store.verify({ sizeBytes, ...digests });",
    replace: "const verification = await store.verify({ sizeBytes });",
  },
  {
    rule: "a request asks for at most 131,072 bytes",
    file: "device/protocol/request-planner.ts",
    find: "return Math.floor(MAX_RESPONSE_BYTES / blockSizeBytes);",
    replace: "return 2 * Math.floor(MAX_RESPONSE_BYTES / blockSizeBytes);",
  },
];

/** Enough seeds that each mutation above is caught; the first catch ends a run. */
const SEEDS = "400";
const ROOT = new URL("../..", import.meta.url).pathname;
const COPIED = ["package.json", "tsconfig.json", "shared", "device", "publisher", "test/sim", "test/support"];

const escaped = MUTATIONS.filter((mutation) => !isCaught(mutation));
process.stdout.write(`${MUTATIONS.length - escaped.length} of ${MUTATIONS.length} mutations caught\n`);
process.exitCode = escaped.length === 0 ? 0 : 1;

function isCaught({ rule, file, find, replace }: Mutation): boolean {
  const copy = mkdtempSync(join(tmpdir(), "otastream-mutation-"));
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    const source = readFileSync(join(copy, file), "utf8");
    if (source.split(find).length !== 2) throw new Error(`${file} does not have exactly one: ${find}`);
    writeFileSync(join(copy, file), source.replace(find, replace));
    const run = spawnSync(process.execPath, ["test/sim/main.ts", "--seeds", SEEDS, "--stop-at-violation"], {
      cwd: copy,
      encoding: "utf8",
    });
    const finding = run.stdout.split("\n").find((line) => line.startsWith("seed ")) ?? run.stderr.trim().slice(0, 300);
    process.stdout.write(`${run.status === 0 ? "ESCAPED" : "caught "}  ${rule}\n         ${finding}\n`);
    return run.status !== 0;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
