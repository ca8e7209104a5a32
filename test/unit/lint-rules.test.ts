/** The linter's rules of the house, each proved by a file that breaks it beside files that are sound. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const imports = "noRestrictedImports";
const globals = "noRestrictedGlobals";
const properties = "noJsRestrictedProperties";

const importing = (...specifiers: string[]): string => specifiers.map((from) => `import "${from}";\n`).join("");

/** Where a file stands, `*` for any name; what it says; the rule that objects to it. */
const broken: readonly (readonly [path: string, source: string, rule: string])[] = [
  ["shared/protocol/*.ts", importing("../clock.ts"), imports],
  ["shared/protocol/*.ts", importing("node:zlib"), imports],
  ["shared/protocol/*.ts", importing("cbor-x"), imports],
  ["shared/protocol/cbor.ts", importing("crc-32"), imports],
  ["device/protocol/*.ts", importing("../agent.ts"), imports],
  ["device/protocol/*.ts", importing("./../agent.ts"), imports],
  ["device/protocol/*.ts", importing("../../shared/clock.ts"), imports],
  ["device/protocol/*.ts", importing("../../publisher/protocol/stream.ts"), imports],
  ["device/protocol/*.ts", importing("crc-32"), imports],
  ["broker/protocol/*.ts", importing("aedes"), imports],
  ["publisher/protocol/*.ts", importing("lru-cache"), imports],
  ["publisher/protocol/*.ts", "export const now = Date.now();", globals],
  ["publisher/protocol/*.ts", "export const now = new Date();", globals],
  ["broker/protocol/*.ts", "export const home = process.env;", globals],
  ["device/protocol/*.ts", "setTimeout(() => {}, 1);", globals],
  ["device/protocol/*.ts", "export const x = globalThis.name;", globals],
  ["device/protocol/*.ts", "export const x = Math.random();", properties],
  ["shared/*.ts", importing("../device/agent.ts"), imports],
  ["shared/deep/*.ts", importing("../../cli/main.ts"), imports],
  ["shared/*.ts", importing("mqtt"), imports],
  ["shared/mqtt-connection.ts", importing("aedes"), imports],
  ["device/*.ts", importing("../broker/door.ts"), imports],
  ["device/fleet/*.ts", importing("../../publisher/publisher.ts"), imports],
  ["device/*.ts", 'export { x } from "../publisher/publisher.ts";', imports],
  ["device/*.ts", 'import type { X } from "../publisher/publisher.ts";\nexport type Y = X;', imports],
  ["device/*.ts", 'export const x = import("../publisher/publisher.ts");', imports],
  ["device/*.ts", importing("mqtt"), imports],
  ["device/fleet/report/*.ts", importing("uplot"), imports],
  ["device/*.ts", importing("node:sqlite"), imports],
  ["device/*.ts", importing("node:timers/promises"), imports],
  ["device/protocol/*.ts", importing("node:fs/promises"), imports],
  ["publisher/registry/*.ts", importing("node:timers"), imports],
  ["broker/*.ts", "export const a = 1;\n".repeat(301), "noExcessiveLinesPerFile"],
  ["broker/*.ts", `export function a(): void {\n${"  a();\n".repeat(61)}}`, "noExcessiveLinesPerFunction"],
  ["broker/*.ts", importing("../device/agent.ts"), imports],
  ["broker/*.ts", importing("../publisher/publisher.ts"), imports],
  ["broker/*.ts", importing("aedes"), imports],
  ["publisher/*.ts", importing("../device/agent.ts"), imports],
  ["publisher/control/*.ts", importing("../../broker/door.ts"), imports],
  ["publisher/*.ts", importing("fastify"), imports],
  ["publisher/control/*.ts", importing("@aws-sdk/client-s3"), imports],
  ["publisher/object-store/*.ts", importing("fauxqs"), imports],
  ["publisher/object-store/embedded-s3.ts", importing("@aws-sdk/client-s3"), imports],
  ["publisher/*.ts", importing("node:sqlite"), imports],
  ["publisher/*.ts", importing("@aws-sdk/client-iot"), imports],
  ["publisher/*.ts", importing("../cli/main.ts"), imports],
  ["publisher/*.ts", importing("../test/support/a.ts"), imports],
  ["publisher/*.ts", "setTimeout(() => {}, 1);", globals],
  ["publisher/*.ts", "export const now = Date.now();", properties],
  ["publisher/*.ts", 'console.log("x");', "noConsole"],
  ["publisher/*.ts", "export default 1;", "noDefaultExport"],
  ["publisher/*.ts", "export enum A { B }", "noEnum"],
  ["publisher/*.ts", "export const a: any = 1;", "noExplicitAny"],
  ["device/*.ts", importing("./ring-one"), "useImportExtensions"],
  ["publisher/*.ts", importing("fs"), "useNodejsImportProtocol"],
  ["publisher/*.ts", "async function a() {}\na();", "noFloatingPromises"],
  ["publisher/*.ts", 'import { a } from "./b.ts";', "noUnusedImports"],
  ["device/ring-one.ts", importing("./ring-two.ts"), "noImportCycles"],
  ["device/ring-two.ts", importing("./ring-one.ts"), "noImportCycles"],
  ["publisher/index.ts", 'export * from "./b.ts";', "noBarrelFile"],
  ["publisher/aB.ts", "export const a = 1;", "useFilenamingConvention"],
  ["cli/*.ts", importing("commander"), imports],
  ["cli/*.ts", importing("@aws-sdk/client-s3"), imports],
  ["cli/main.ts", importing("../bench/a.ts"), imports],
  ["test/unit/*.test.ts", 'import { setTimeout } from "node:timers/promises";\nawait setTimeout(1);', imports],
  ["test/unit/*.test.ts", "export const x = Math.random();", properties],
  ["test/unit/*.test.ts", 'it.only("a", () => {});', "noFocusedTests"],
  ["test/unit/*.test.ts", 'it.skip("a", () => {});', "noSkippedTests"],
];

const sound: readonly (readonly [path: string, source: string])[] = [
  ["shared/protocol/*.ts", importing("./limits.ts", "crc-32")],
  ["shared/protocol/*.ts", "export const bytes: Uint8Array = Buffer.alloc(1);"],
  ["shared/protocol/cbor.ts", importing("./limits.ts", "cbor-x")],
  ["device/protocol/*.ts", importing("./retry.ts", "../../shared/protocol/limits.ts")],
  ["shared/clock.ts", "setTimeout(() => Date.now(), 1);"],
  ["shared/mqtt-connection.ts", importing("mqtt", "./clock.ts", "./protocol/limits.ts", "node:net")],
  [
    "device/fleet/*.ts",
    importing("../agent.ts", "../protocol/retry.ts", "../../shared/protocol/limits.ts", "node:fs/promises"),
  ],
  ["device/fleet/report/uplot.ts", importing("uplot", "./plot-data.ts", "node:module")],
  ["broker/door.ts", importing("aedes", "./listeners.ts", "../shared/log.ts")],
  ["broker/listeners.ts", importing("ws", "node:net")],
  ["publisher/control/*.ts", importing("fastify", "../registry/stream-registry.ts", "../../shared/log.ts")],
  ["publisher/object-store/*.ts", importing("@aws-sdk/client-s3")],
  ["publisher/object-store/embedded-s3.ts", importing("fauxqs", "node:fs", "node:stream/promises")],
  ["publisher/registry/*.ts", importing("node:sqlite", "node:fs/promises", "../protocol/stream.ts")],
  ["cli/*.ts", importing("@aws-sdk/client-iot", "../device/agent.ts", "../broker/door.ts", "cli-progress", "pino")],
  ["cli/main.ts", importing("commander", "./serve.ts")],
  ["test/e2e/a.test.ts", importing("aedes", "mqtt", "ws", "fast-check", "../../cli/main.ts", "@aws-sdk/client-s3")],
  ["test/e2e/a.test.ts", 'it.skipIf(true)("a", () => {});'],
];

/** Writes one file per case into a project of its own, lints it, and gives each file's rules that objected. */
async function lint(cases: readonly (readonly [path: string, source: string])[]): Promise<string[][]> {
  const directory = await mkdtemp(join(tmpdir(), "otastream-lint-"));
  try {
    await copyFile(join(root, "biome.json"), join(directory, "biome.json"));
    await copyFile(join(root, ".gitignore"), join(directory, ".gitignore"));
    const paths = cases.map(([path], index) => path.replace("*", `case-${index}`));
    for (const [index, path] of paths.entries()) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), cases[index]?.[1] ?? "");
    }
    const report = await runBiome(directory);
    return paths.map((path) =>
      report.diagnostics
        .filter((diagnostic) => diagnostic.location.path === path)
        .map((diagnostic) => diagnostic.category.split("/").at(-1) ?? ""),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface BiomeReport {
  readonly diagnostics: readonly { readonly category: string; readonly location: { readonly path: string } }[];
}

function runBiome(directory: string): Promise<BiomeReport> {
  const biome = join(root, "node_modules/.bin/biome");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(
    biome,
    ["lint", "--reporter=json", "--max-diagnostics=none"],
    { cwd: directory },
    (_error, stdout, stderr) =>
      stdout.startsWith("{") ? resolve(stdout) : reject(new Error(`biome gave no report: ${stderr}`)),
  );
  return promise.then((report) => JSON.parse(report) as BiomeReport);
}

it("objects to every file that breaks a rule, and names the rule", async () => {
  const found = await lint(broken.map(([path, source]) => [path, source] as const));
  const missed = broken.filter(([, , rule], index) => !found[index]?.includes(rule));
  expect(missed).toEqual([]);
});

it("leaves sound files alone", async () => {
  const found = await lint(sound);
  const blamed = sound.flatMap(([path, source], index) => (found[index]?.length ? [[path, source, found[index]]] : []));
  expect(blamed).toEqual([]);
});
