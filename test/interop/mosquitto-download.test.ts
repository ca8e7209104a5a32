/** Blocks fetched with nothing but mosquitto's clients and the shell. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFile } from "../support/broker.ts";
import { hasDebianPackages } from "../support/debian-package.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const run = promisify(execFile);
const CLIENTS = ["/usr/bin/mosquitto_pub", "/usr/bin/mosquitto_sub", "/usr/bin/mosquitto_rr"];
const original = makeFile(300_001);

/** What each script can use: the payload of a data message, and a client of the broker's address. */
const PRELUDE = `
set -euo pipefail
cd "$DIRECTORY"
payload() { sed 's/.*"p":"\\([^"]*\\)".*/\\1/' | base64 --decode; }
ask() { mosquitto_rr -h 127.0.0.1 -p "$PORT" -V mqttv311 -W 20 -i "$1" -t "$TOPICS/$2/json" -e "$TOPICS/$3/json" -m "$4"; }
`;

/** An observer waits for block 1, and the thing asks for it once the observer is subscribed. stdbuf: it would hold its words back. */
const WATCH = `
mkfifo heard
stdbuf -oL mosquitto_sub -h 127.0.0.1 -p "$PORT" -i watcher -t "$TOPICS/data/json" -C 1 -W 20 -d > heard &
while read -r line; do
  case $line in
    Subscribed*) mosquitto_pub -h 127.0.0.1 -p "$PORT" -i "$THING" -t "$TOPICS/get/json" -m '{"f":0,"l":4096,"o":1,"n":1}' ;;
    '{'*) printf '%s\\n' "$line" | tee answer | payload > block ;;
  esac
done < heard
wait $!
`;

const FETCH_FILE = `
for block in $(seq 0 $((BLOCKS - 1))); do
  ask "$THING" get data "{\\"f\\":0,\\"l\\":$BLOCK_SIZE,\\"o\\":$block,\\"n\\":1}" > answer
  wc --bytes < answer >> sizes
  payload < answer >> file
done
`;

describe.skipIf(!hasDebianPackages(["mosquitto-clients"], CLIENTS))("mosquitto's clients alone", () => {
  let server: RunningServer;
  let directory: string;

  beforeAll(async () => {
    server = await startRunningServer({ observers: ["watcher"] });
    await server.publish("by-hand", [original]);
    directory = await mkdtemp(join(tmpdir(), "otastream-by-hand-"));
    await writeFile(join(directory, "original"), original);
  });
  afterAll(async () => {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function shell(script: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const env = {
      PATH: "/usr/bin:/bin",
      DIRECTORY: directory,
      PORT: new URL(server.urls.mqtt).port,
      THING: "hand",
      TOPICS: "$aws/things/hand/streams/by-hand",
      ...variables,
    };
    return (await run("bash", ["-c", PRELUDE + script], { env })).stdout;
  }

  it("fetch a block that an observer sees with mosquitto_sub and a thing asks for with mosquitto_pub", async () => {
    await shell(WATCH);
    const answer = await readFile(join(directory, "answer"), "utf8");
    expect(answer).toMatch(/^\{"f":0,"i":1,"l":4096,"p":"[A-Za-z0-9+/]{5462}=="\}\n$/);
    expect(Buffer.compare(await readFile(join(directory, "block")), original.subarray(4096, 8192))).toBe(0);
  });

  it("fetch a whole file in blocks of 131072 bytes as the thing itself, with mosquitto_rr", async () => {
    const printed = await shell(`${FETCH_FILE} cmp file original && echo identical`, {
      BLOCK_SIZE: "131072",
      BLOCKS: "3",
    });
    expect(printed).toBe("identical\n");
    // 131072 bytes are 174764 base64 digits; {"f":0,"i":N,"l":131072,"p":""} and the line's end are 31 + 1 more.
    expect(await readFile(join(directory, "sizes"), "utf8")).toMatch(/^174796\n174796\n/);
  });

  it("describe a stream", async () => {
    const answer: unknown = JSON.parse(await shell(`ask "$THING" describe description '{"c":"who"}'`));
    expect(answer).toMatchObject({ c: "who", s: 0, r: [{ f: 0, z: 300_001 }] });
  });

  it("show the reason of a rejection in both its forms", async () => {
    const answer: unknown = JSON.parse(await shell(`ask "$THING" get rejected '{"c":"bad","f":0,"l":255}'`));
    const message = "block size (l) must be 256 to 131072, not 255";
    expect(answer).toEqual({
      clientToken: "bad",
      c: "bad",
      code: "BlockSizeOutOfBounds",
      o: "BlockSizeOutOfBounds",
      message,
      m: message,
    });
  });
});
