/** Flags of the fleet that contradict each other are refused by name. */
import { describe, expect, it } from "vitest";
import { checkFlags, type FleetFlags } from "../../cli/fleet/fleet-flags.ts";
import { formatCommand } from "../../cli/fleet/run-facts.ts";

const FLAGS: FleetFlags = {
  devices: 10,
  together: false,
  link: [],
  device: [],
  client: [],
  faults: {},
  seed: 1,
  connection: "lean",
  store: "verify",
  virtual: false,
  blockSize: 4096,
  format: "cbor",
  processes: 1,
  allowFailures: 0,
  assert: [],
  json: false,
  logLevel: "warn",
};
const BROKER = { broker: "mqtt://127.0.0.1:1883", streamId: "firmware" };

describe("flags", () => {
  it.each<[string, Partial<FleetFlags>]>([
    ["none", {}],
    ["a broker and its stream", BROKER],
    ["a broker over TLS with the real library", { ...BROKER, broker: "mqtts://u:p@host", connection: "mqttjs" }],
    ["a virtual clock", { virtual: true, size: 1000 }],
    [
      "disconnects on a virtual clock on which time passes",
      { virtual: true, faults: { disconnectEveryMs: 9, latencyMs: 1 } },
    ],
    ["a disk", { store: "disk", out: "images" }],
  ])("go together: %s", (_name, part) => expect(() => checkFlags({ ...FLAGS, ...part })).not.toThrow());

  it.each<[string, Partial<FleetFlags>]>([
    ["--broker needs the stream to fetch", { broker: "mqtt://127.0.0.1" }],
    ["stream firmware needs the broker it is served on", { streamId: "firmware" }],
    ["--file is for the fleet's own server", { ...BROKER, file: "image" }],
    ["--size is for the fleet's own server", { ...BROKER, size: 1 }],
    ["--file and --size exclude each other", { file: "image", size: 1 }],
    ["--virtual has no sockets: leave --broker out", { ...BROKER, virtual: true }],
    ["--virtual has no sockets: leave --connection mqttjs out", { virtual: true, connection: "mqttjs" }],
    ["--virtual stores nothing", { virtual: true, store: "disk" }],
    ["--processes must be 1, not 2", { virtual: true, processes: 2 }],
    ["--out is for --store disk", { out: "images" }],
    ["--processes must be at most --devices, which is 10, not 11", { processes: 11 }],
    ["use --connection mqttjs", { ...BROKER, broker: "ws://127.0.0.1:8083" }],
    ["use --connection mqttjs", { ...BROKER, broker: "mqtt://user:secret@127.0.0.1" }],
    ["--disconnect-every needs time to pass", { virtual: true, faults: { disconnectEveryMs: 1000 } }],
    ["--reboot-every needs time to pass", { virtual: true, faults: { rebootEveryMs: 1000 } }],
    ["--report and --html need a file each", { report: "a", html: "a" }],
    [
      "--block-size must be a power of two for --client ota-v3.4, not 5000",
      { blockSize: 5000, client: [{ name: "ota-v3.4", share: 1 }] },
    ],
    ["--store disk is for the client otastream", { store: "disk", client: [{ name: "ota-v3.4", share: 1 }] }],
  ])("do not: %s", (message, part) => expect(() => checkFlags({ ...FLAGS, ...part })).toThrow(message));
});

describe("the command that repeats a run", () => {
  it("has the seed that was drawn, and quotes for a shell", () => {
    expect(formatCommand(["fleet", "--file", "my file's.bin", "--assert", "p99<30s"], 7)).toBe(
      "otastream fleet --file 'my file'\\''s.bin' --assert 'p99<30s' --seed 7",
    );
  });

  it.each([["--broker", "mqtts://user:p@ss@host:8883/"], ["--broker=mqtts://user:p@ss@host:8883/"]])(
    "shows no secret of a broker",
    (...args) => {
      const command = formatCommand(["fleet", ...args, "--seed", "1"], 1);
      expect(command).toMatch(/^otastream fleet --broker[ =]mqtts:\/\/USER:PASSWORD@host:8883\/ --seed 1$/);
    },
  );

  it("keeps the seed that was given", () => {
    expect(formatCommand(["fleet", "--seed", "0x1"], 1)).toBe("otastream fleet --seed 0x1");
    expect(formatCommand(["fleet", "--seed=5"], 5)).toBe("otastream fleet --seed=5");
  });
});
