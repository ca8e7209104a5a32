/** The command line of the conformance suite. */
import { parseArgs } from "node:util";
import { isStreamId, isThingName } from "../../shared/protocol/ids.ts";
import { NEED_LINES } from "./stream-facts.ts";

/** What the command line says. */
export interface Arguments {
  readonly isSelf: boolean;
  readonly brokerUrl: string | undefined;
  readonly streamId: string | undefined;
  readonly thing: string | undefined;
  readonly originals: ReadonlyMap<number, string>;
  readonly profile: "strict" | "lenient";
  readonly firstStreamVersion: 0 | 1 | undefined;
  readonly isOwnBroker: boolean;
  readonly jsonPath: string | undefined;
  readonly only: readonly string[];
}

/** Says what is wrong with a command line, in one sentence. */
export class UsageError extends Error {}

/** What --help prints. */
export const HELP = `Runs the rules of docs/PROTOCOL.md section 2 against a server.

npm run conformance -- --self [options]
npm run conformance -- --broker URL --stream ID [options]

  --self                        start the server of this project on free ports, with files that fit
  --broker URL                  mqtt:// or ws:// of the broker the server is reached through
  --stream ID                   a stream of that server
  --file FILE_ID=PATH           the original of a file, repeatable; a file that is not named is fetched
                                through the protocol and checked against the sha256 of the description
  --thing NAME                  thing name and MQTT client id, at most 100 characters; a random one by default;
                                NAME-2 is used as well
  --profile strict|lenient      the request profile the server runs; lenient by default
  --first-stream-version 0|1    the version a new stream gets; with --broker, the version the stream must have
  --other-broker                the broker is not part of the server: rules about refusals of the broker, and
                                about topics that such a server does not see, are skipped
  --json FILE                   write the outcome as JSON, too
  --only ID                     only this rule, or the rules whose id begins with it and a dot; repeatable
  --help

The stream must have a file for each of these roles:
${NEED_LINES.map((line) => `  ${line}`).join("\n")}
A file with id 255, and one with id 24, let more rules show something.

Exit status: 0 when every rule passed, 1 when one failed or the run could not be made, 2 for a wrong command line.
`;

/** Reads a command line; undefined when it asks for help. Throws {@link UsageError}. */
export function readArguments(args: readonly string[]): Arguments | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const { self: isSelf = false, broker, stream, thing } = values;
  if (isSelf && (broker !== undefined || stream !== undefined)) {
    throw new UsageError("--self starts a server of its own: leave out --broker and --stream");
  }
  if (!isSelf && (broker === undefined || stream === undefined)) {
    throw new UsageError("name a server with --broker URL and --stream ID, or start one with --self");
  }
  if (broker !== undefined && !URL.canParse(broker))
    throw new UsageError(`--broker must be a URL, not ${quoted(broker)}`);
  if (stream !== undefined && !isStreamId(stream)) {
    throw new UsageError(`--stream must be 1-128 of [a-zA-Z0-9_-], not ${quoted(stream)}`);
  }
  if (thing !== undefined && !(isThingName(thing) && thing.length <= 100)) {
    throw new UsageError(`--thing must be 1-100 of [a-zA-Z0-9:_-], not ${quoted(thing)}`);
  }
  return {
    isSelf,
    brokerUrl: broker,
    streamId: stream,
    thing,
    originals: new Map((values.file ?? []).map(readOriginal)),
    profile: oneOf("--profile", values.profile ?? "lenient", ["strict", "lenient"]),
    firstStreamVersion: readVersion(values["first-stream-version"]),
    isOwnBroker: !values["other-broker"],
    jsonPath: values.json,
    only: values.only ?? [],
  };
}

function parse(args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const list = { type: "string", multiple: true } as const;
    const flag = { type: "boolean" } as const;
    const options = {
      self: flag,
      broker: text,
      stream: text,
      file: list,
      thing: text,
      profile: text,
      "first-stream-version": text,
      "other-broker": flag,
      json: text,
      only: list,
      help: flag,
    };
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readOriginal(text: string): readonly [fileId: number, path: string] {
  const [, id, path] = /^(\d{1,3})=(.+)$/.exec(text) ?? [];
  if (path === undefined || Number(id) > 255) throw new UsageError(`--file must be FILE_ID=PATH, not ${quoted(text)}`);
  return [Number(id), path];
}

function readVersion(text: string | undefined): 0 | 1 | undefined {
  if (text === undefined) return undefined;
  return oneOf("--first-stream-version", text, ["0", "1"]) === "1" ? 1 : 0;
}

function oneOf<Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new UsageError(`${flag} must be ${words.join(" or ")}, not ${quoted(text)}`);
  return word;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
