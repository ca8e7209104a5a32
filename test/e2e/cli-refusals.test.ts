/** What the program says when it cannot do what it is told: one sentence, a status, no stack trace, nothing left running. */
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import {
  FREE_PORTS,
  killLeftovers,
  runOtastream,
  type ServeProcess,
  startServe,
} from "../support/otastream-process.ts";

let directory: TemporaryDirectory;
let server: ServeProcess;
beforeAll(async () => {
  directory = await temporaryDirectory();
  server = await startServe(directory.in("data"));
  await writeFile(directory.in("file"), "not a directory");
  await writeFile(directory.in("image.bin"), "image");
});
afterAll(async () => {
  await killLeftovers();
  await directory.remove();
});

/** Runs and expects one sentence on stderr, nothing on stdout and the status. */
async function expectRefusal(args: readonly string[], status: number, sentence: string | RegExp): Promise<void> {
  const run = await runOtastream(args, { cwd: directory.path });
  const [first = "", ...more] = run.stderr.trimEnd().split("\n");
  expect(first).toMatch(sentence);
  // Commander adds where help is.
  expect(more.filter((line) => line !== "(otastream --help shows the commands)")).toEqual([]);
  expect(run).toMatchObject({ status, stdout: "" });
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, "close");
  return port;
}

const serve = (...flags: readonly string[]): string[] => [
  ...["serve", "--json", ...FREE_PORTS, "--data-dir", directory.in("other")],
  ...flags,
];

describe("serve refuses", () => {
  it.each(["--mqtt-port", "--ws-port", "--http-port", "--s3-port"])("a %s that is taken", async (flag) => {
    const { port } = new URL(server.urls.mqtt);
    const sentence = new RegExp(`^otastream: .*\\b${port}\\b.*; choose another port with ${flag} \\(AddressInUse\\)$`);
    await expectRefusal(serve(flag, port), 1, sentence);
  });

  it("one port for two doors", async () => {
    const port = String(await freePort());
    await expectRefusal(serve("--mqtt-port", port, "--ws-port", port), 1, "choose another port with --ws-port");
  });

  it.each(["file", "file/below", "/proc/otastream", "/dev/null/x"])("the data directory %s", async (path) => {
    const sentence = `otastream: --data-dir ${path} cannot be created: `;
    await expectRefusal(serve("--data-dir", path), 1, sentence);
  });

  it("a data directory that another serve uses", async () => {
    const sentence = /another process is using it; choose another directory with --data-dir \(DataDirNotUsable\)$/;
    await expectRefusal(serve("--data-dir", directory.in("data")), 1, sentence);
  });

  it("a data directory with something else in it", async () => {
    await mkdir(directory.in("foreign"));
    await writeFile(directory.in("foreign", "streams.sqlite"), "somebody else's words");
    const sentence =
      /foreign\/streams\.sqlite cannot be used: file is not a database; choose another directory with --data-dir/;
    await expectRefusal(serve("--data-dir", directory.in("foreign")), 1, sentence);
  });

  it("an address of another machine", async () => {
    await expectRefusal(serve("--host", "192.0.2.1"), 1, /192\.0\.2\.1.*choose another address with --host/);
  });

  it("a broker that is not there", async () => {
    const sentence =
      /^otastream: cannot reach the broker mqtt:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.* \(BrokerUnreachable\)$/;
    await expectRefusal(serve("--broker", "mqtt://127.0.0.1:1"), 1, sentence);
  });

  it.each([
    [["--mqtt-port", "65536"], '--mqtt-port must be an integer from 0 to 65535, not "65536"'],
    [["--http-port", "http"], '--http-port must be an integer from 0 to 65535, not "http"'],
    [["--first-stream-version", "2"], '--first-stream-version must be an integer from 0 to 1, not "2"'],
    [
      ["--broker", "http://x"],
      '--broker must be a URL that starts with mqtt:// or mqtts:// or ws:// or wss://, not "http://x"',
    ],
    [["--s3-endpoint", "s3.local"], '--s3-endpoint must be a URL that starts with http:// or https://, not "s3.local"'],
    [["--account", "12"], '--account must be 12 digits, not "12"'],
    [["--region", "US EAST"], '--region must be 1-32 of [a-z0-9-], not "US EAST"'],
    [["--max-file-bytes", "25165825"], '--max-file-bytes must be an integer from 1 to 25165824, not "25165825"'],
    [["--max-files", "51"], '--max-files must be an integer from 1 to 50, not "51"'],
    [["--profile", "loose"], '--profile must be strict or lenient, not "loose"'],
    [
      ["--pace-bytes-per-second", "1023"],
      '--pace-bytes-per-second must be an integer from 1024 to 16777216, not "1023"',
    ],
    [
      ["--pace-bytes-per-second", "16777217"],
      '--pace-bytes-per-second must be an integer from 1024 to 16777216, not "16777217"',
    ],
    [["--pace-bytes-per-second", "64k"], '--pace-bytes-per-second must be an integer from 1024 to 16777216, not "64k"'],
    [["--quotas", "azure"], '--quotas must be none or aws, not "azure"'],
    [["--host", ""], "--host must not be empty"],
    [["--data-dir", ""], "--data-dir must not be empty"],
  ])("%j", async (flags, sentence) => {
    await expectRefusal(serve(...flags), 2, `otastream: ${sentence} (InvalidArgument)`);
  });

  it.each([
    [["--nonsense"], "error: unknown option '--nonsense'"],
    [["extra"], "error: too many arguments for 'serve'. Expected 0 arguments but got 1: extra."],
    [["--mqtt-port"], "error: option '--mqtt-port <PORT>' argument missing"],
  ])("%j", async (flags, sentence) => {
    await expectRefusal(serve(...flags), 2, sentence);
  });
});

describe("download refuses", () => {
  it.each([
    [["--block-size", "255"], '--block-size must be an integer from 256 to 131072, not "255"'],
    [["--block-size", "131073"], '--block-size must be an integer from 256 to 131072, not "131073"'],
    [
      ["--broker", "http://x"],
      '--broker must be a URL that starts with mqtt:// or mqtts:// or ws:// or wss://, not "http://x"',
    ],
    [
      ["--broker", "mqtt://"],
      "the broker must be a URL with mqtt://, mqtts://, ws:// or wss:// and a host, not mqtt://",
    ],
    [["--format", "xml"], '--format must be cbor or json, not "xml"'],
    [["--file-id", "256"], '--file-id must be an integer from 0 to 255, not "256"'],
    [["--thing", "a/b"], '--thing must be 1-128 of [a-zA-Z0-9:_-], not "a/b"'],
    [["--crc32", "12"], '--crc32 must be 8 hex digits, not "12"'],
    [["--sha256", "zz"], '--sha256 must be 64 hex digits, not "zz"'],
    [["--out", ""], "--out must not be empty"],
  ])("%j", async (flags, sentence) => {
    await expectRefusal(["download", "images", ...flags], 2, `otastream: ${sentence} (InvalidArgument)`);
  });

  it("a stream id that cannot be one", async () => {
    const sentence = 'otastream: stream id must be 1-128 of [a-zA-Z0-9_-], not "a b" (InvalidArgument)';
    await expectRefusal(["download", "a b"], 2, sentence);
    await expectRefusal(["download"], 2, "error: missing required argument 'streamId'");
  });

  it.each(["mqtt", "ws"])("a broker that is not there over %s, at once", async (scheme) => {
    const url = `${scheme}://127.0.0.1:1`;
    const sentence = `otastream: cannot reach the broker ${url}: connect ECONNREFUSED 127.0.0.1:1 (BrokerUnreachable)`;
    await expectRefusal(["download", "images", "--broker", url], 1, sentence);
  });

  it("a server that is no broker", async () => {
    const url = server.urls.http.replace("http:", "mqtt:");
    await expectRefusal(["download", "images", "--broker", url], 1, `otastream: cannot reach the broker ${url}: `);
  });
});

describe("the program", () => {
  it("shows its version and its help", async () => {
    expect(await runOtastream(["--version"])).toMatchObject({ status: 0, stdout: "0.1.0\n", stderr: "" });
    for (const args of [["--help"], ["help", "serve"], ["download", "--help"], ["streams", "list", "--help"]]) {
      const { status, stdout } = await runOtastream(args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^Usage: otastream /);
    }
  });

  it("refuses a command that it does not know, or none", async () => {
    await expectRefusal(["nonsense"], 2, "error: unknown command 'nonsense'");
    const none = await runOtastream([]);
    expect(none).toMatchObject({ status: 2, stdout: "" });
    expect(none.stderr).toMatch(/^Usage: otastream /);
  });
});
