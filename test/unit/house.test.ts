/** The rules of the house that the linter cannot express: docstrings, names, sleeps, and a second look at the layers. */
import { globSync, readFileSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

interface SourceFile {
  /** From the root of the repo, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The same text with comments blanked out, line by line. */
  readonly code: string;
}

const product = filesUnder("{shared,device,broker,publisher,cli}/**/*.ts");
const tests = filesUnder("test/**/*.ts");
const pure = product.filter((file) => file.path.includes("/protocol/"));
const prose = [...product, ...tests, ...filesUnder("bench/**/*.ts"), ...filesUnder("{*,docs/**/*}.md")];

/** What each zone may import beside vendor packages; a zone is a top folder, or the protocol folder in it. */
const layers: Readonly<Record<string, readonly string[]>> = {
  "shared/protocol": ["shared/protocol"],
  "device/protocol": ["device/protocol", "shared/protocol"],
  "broker/protocol": ["broker/protocol", "shared/protocol"],
  "publisher/protocol": ["publisher/protocol", "shared/protocol"],
  shared: ["shared", "shared/protocol"],
  device: ["device", "device/protocol", "shared", "shared/protocol"],
  broker: ["broker", "broker/protocol", "shared", "shared/protocol"],
  publisher: ["publisher", "publisher/protocol", "shared", "shared/protocol"],
};

/** The one importer of each vendor package: a file, or the folder in which one file is it and others may name its types. */
const importers: Readonly<Record<string, RegExp>> = {
  "@aws-sdk/client-iot": /^cli\//,
  "@aws-sdk/client-s3": /^publisher\/object-store\//,
  "@smithy/node-http-handler": /^(publisher\/object-store|cli)\//,
  aedes: /^broker\/door\.ts$/,
  "cbor-x": /^shared\/protocol\/cbor\.ts$/,
  "cli-progress": /^cli\//,
  commander: /^cli\/(main|fleet\/declare-fleet)\.ts$/,
  "crc-32": /^(device|shared)\//,
  fastify: /^publisher\/control\//,
  fauxqs: /^publisher\/object-store\/embedded-s3\.ts$/,
  "log-update": /^cli\/fleet\//,
  "lru-cache": /^publisher\//,
  mqtt: /^shared\/mqtt-connection\.ts$/,
  "mqtt-packet": /^device\/fleet\/lean-packets\.ts$/,
  "node:sqlite": /^publisher\/registry\//,
  pino: /^cli\//,
  "pino-pretty": /^cli\//,
  uplot: /^device\/fleet\/report\/uplot\.ts$/,
  ws: /^broker\//,
};

/** Packages that are a part and not a system: more than one file may use them. */
const smallParts: ReadonlySet<string> = new Set(["@smithy/node-http-handler", "lru-cache"]);

const vendorImports = product
  .flatMap((file) => importsOf(file).map((entry) => ({ path: file.path, ...entry })))
  .filter(({ from }) => from in importers || !/^(\.|node:)/.test(from));

describe("every product file", () => {
  it("opens with a doc comment", () => {
    expect(pathsOf(product.filter((file) => openingComment(file) === undefined))).toEqual([]);
  });

  it("says that it does no IO when it is in a protocol folder", () => {
    expect(pathsOf(pure.filter((file) => !openingComment(file)?.includes("No IO.")))).toEqual([]);
  });

  it("explains each exported name", () => {
    expect(product.flatMap(unexplainedExports)).toEqual([]);
  });

  it("has a name of its own", () => {
    const vague = /^index$|(^|-)(utils?|helpers?|common|misc)(-|$)/;
    expect(pathsOf([...product, ...tests].filter((file) => vague.test(basename(file.path, ".ts"))))).toEqual([]);
  });

  it("imports only from its own layer and those below", () => {
    expect(product.flatMap(strayImports)).toEqual([]);
  });

  it("imports a vendor package only where it is allowed", () => {
    const strangers = vendorImports.filter(({ path, from }) => !importers[from]?.test(path));
    expect(strangers.map(({ path, from }) => `${path} imports ${from}`)).toEqual([]);
  });

  it("is the only one that runs a vendor package's code, small parts aside", () => {
    const running = vendorImports.filter(({ from, isTypeOnly }) => !isTypeOnly && !smallParts.has(from));
    const users = Map.groupBy(running, ({ from }) => from);
    const paths = [...users].map(([from, entries]) => ({ from, paths: new Set(entries.map(({ path }) => path)) }));
    expect(paths.filter((entry) => entry.paths.size > 1)).toEqual([]);
  });

  it("leaves single-letter wire keys to shared/protocol/wire-keys.ts", () => {
    const wireKey = /\{\s*[a-z]\s*:|(?:^|[{,])\s*"[a-z]"\s*:|\["[a-z]"\]|\.(?:get|has|set)\("[a-z]"/;
    const others = product.filter((file) => file.path !== "shared/protocol/wire-keys.ts");
    expect(others.flatMap((file) => linesMatching(file, wireKey))).toEqual([]);
  });
});

describe("every test", () => {
  it("waits for events, never for time", () => {
    const sleep = /\bsetTimeout\(\s*(?:\(\w*\)\s*=>\s*)?(?:resolve|done|[a-z])\b|\bAtomics\.wait\(/;
    expect(tests.flatMap((file) => linesMatching(file, sleep))).toEqual([]);
  });
});

describe("the words", () => {
  it("do not point outside the repo", () => {
    const outside = /\.\.\/shared\/[A-Z]|\/work\/(?:main|shared)|\b[Ii]ssue #?\d/;
    expect(prose.flatMap((file) => linesMatching({ ...file, code: file.text }, outside))).toEqual([]);
  });

  it("explain every code of OtaError under a heading of its own in docs/ERRORS.md", () => {
    const source = readFileSync(join(root, "shared/protocol/errors.ts"), "utf8");
    const union = /type OtaErrorCode =([^;]*);/.exec(source)?.[1] ?? "";
    const codes = [...union.matchAll(/"(\w+)"/g)].map((match) => match[1]);
    const headings = readFileSync(join(root, "docs/ERRORS.md"), "utf8").matchAll(/^#+ `?(\w+)`?$/gm);
    const explained = new Set([...headings].map((match) => match[1]));
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.filter((code) => !explained.has(code))).toEqual([]);
  });
});

function filesUnder(pattern: string): SourceFile[] {
  const paths = globSync(pattern, { cwd: root }).map((path) => path.replaceAll("\\", "/"));
  return paths.sort().map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return { path, text, code: withoutComments(text) };
  });
}

function pathsOf(files: readonly SourceFile[]): string[] {
  return files.map((file) => file.path);
}

/** Blanks block comments and whole-line comments; a `//` inside a string stays. */
function withoutComments(text: string): string {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ""));
}

/** The words of the comment a file opens with, below a `#!` line. */
function openingComment(file: SourceFile): string | undefined {
  const body = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(file.text)?.[1];
  return body?.replace(/\n\s*\*/g, " ").trim();
}

/** Exports with no doc comment right above; of an overloaded function, the first needs one. */
function unexplainedExports(file: SourceFile): string[] {
  const lines = file.text.split("\n");
  return lines.flatMap((line, index) => {
    const name = /^export (?:abstract |async |declare )*(?:function\*?|class|interface|type|const|let) (\w+)/.exec(
      line,
    )?.[1];
    const above = lines[index - 1] ?? "";
    const isExplained = /\*\/\s*$/.test(above) || new RegExp(`^export (?:async )?function ${name}\\b.*;$`).test(above);
    return name === undefined || isExplained ? [] : [`${file.path}:${index + 1} ${name}`];
  });
}

/** What a file imports or re-exports, statically, dynamically or as a type. */
function importsOf(file: SourceFile): { readonly from: string; readonly isTypeOnly: boolean }[] {
  const statements = /^(?:import|export)\b(?:([^;"]*?)\bfrom\b)?\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  return [...file.code.matchAll(statements)].map((match) => ({
    from: match[2] ?? match[3] ?? "",
    isTypeOnly: /^\s+type\b/.test(match[1] ?? ""),
  }));
}

function zoneOf(path: string): string {
  return /^\w+\/protocol(?=\/)/.exec(path)?.[0] ?? path.split("/")[0] ?? "";
}

function strayImports(file: SourceFile): string[] {
  const allowed = layers[zoneOf(file.path)];
  const relative = importsOf(file).filter(({ from }) => from.startsWith("."));
  const targets = relative.map(({ from }) => posix.join(posix.dirname(file.path), from));
  const isStray = (target: string): boolean =>
    allowed === undefined ? /^(test|bench|\.\.)\//.test(target) : !allowed.includes(zoneOf(target));
  return targets.filter(isStray).map((target) => `${file.path} imports ${target}`);
}

function linesMatching(file: SourceFile, pattern: RegExp): string[] {
  const lines = file.code.split("\n").map((line, index) => ({ line, number: index + 1 }));
  return lines
    .filter(({ line }) => pattern.test(line))
    .map(({ line, number }) => `${file.path}:${number} ${line.trim()}`);
}
