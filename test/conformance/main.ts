/** The conformance suite as a program: runs the rules against a server and prints a table. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { chooseRules } from "./all-rules.ts";
import { type Arguments, HELP, readArguments, UsageError } from "./arguments.ts";
import { loadStream } from "./load-stream.ts";
import { startOwnServer } from "./own-server.ts";
import { countResults, formatJson, formatOutcome, formatSummary, TABLE_HEADING } from "./report.ts";
import { runRules } from "./run-rules.ts";
import type { StreamFacts } from "./stream-facts.ts";

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readArguments(args);
    if (options !== undefined) return await run(options);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`conformance: ${(error as Error).message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function run(options: Arguments): Promise<number> {
  const { profile, isOwnBroker, only, jsonPath } = options;
  const rules = chooseRules(only);
  if (rules.length === 0) throw new UsageError(`--only ${only.join(", ")}: there is no such rule`);
  const target = await openTarget(options);
  try {
    const { facts, brokerUrl } = target;
    process.stdout.write(
      `thing ${facts.thing}, stream ${facts.streamId} version ${facts.streamVersion}, ${brokerUrl}\n`,
    );
    process.stdout.write(`${TABLE_HEADING}\n`);
    const onOutcome = (outcome: Parameters<typeof formatOutcome>[0]): void => {
      process.stdout.write(`${formatOutcome(outcome)}\n`);
    };
    const outcomes = await runRules({ brokerUrl, facts, rules, isOwnBroker, onOutcome });
    process.stdout.write(`${formatSummary(outcomes, profile)}\n`);
    if (jsonPath !== undefined) await writeFile(jsonPath, formatJson(outcomes, profile));
    return countResults(outcomes).fail === 0 && outcomes.length > 0 ? 0 : 1;
  } finally {
    await target.close();
  }
}

interface Target {
  readonly brokerUrl: string;
  readonly facts: StreamFacts;
  close(): Promise<void>;
}

async function openTarget(options: Arguments): Promise<Target> {
  const { profile, firstStreamVersion, originals } = options;
  const thing = options.thing ?? `conformance-${randomBytes(4).toString("hex")}`;
  if (options.isSelf) {
    const own = await startOwnServer({ thing, profile, firstStreamVersion: firstStreamVersion ?? 0 });
    return { brokerUrl: own.server.urls.mqtt, facts: own.facts, close: () => own.close() };
  }
  const { brokerUrl = "", streamId = "" } = options;
  const version = firstStreamVersion === undefined ? {} : { streamVersion: firstStreamVersion };
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const facts = await loadStream({ brokerUrl, thing, streamId, profile, originals, onProgress, ...version });
  return { brokerUrl, facts, close: async () => {} };
}
