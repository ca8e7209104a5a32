/** What a fleet's sockets need is counted before it begins, and refused with the figures. */
import { describe, expect, it } from "vitest";
import { type Demand, planAddresses, readMachineLimits } from "../../cli/fleet/capacity.ts";

const LIMITS = { openFiles: 20_000, ports: 28_232 };
const DEMAND: Demand = {
  devices: 100,
  processes: 1,
  brokerHost: "127.0.0.1",
  hasOwnServer: true,
  choosesAddress: true,
  filesPerDevice: 0,
};

describe("addresses", () => {
  it("leaves a small fleet to the system", () => expect(planAddresses(DEMAND, LIMITS)).toEqual([]));

  it("takes several loopback addresses where the ports of one are short", () => {
    const demand = { ...DEMAND, devices: 60_000, processes: 4, hasOwnServer: false };
    expect(planAddresses(demand, LIMITS)).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
  });

  it("refuses more devices than ports where the library chooses the address", () => {
    const demand = { ...DEMAND, devices: 60_000, processes: 4, hasOwnServer: false, choosesAddress: false };
    expect(() => planAddresses(demand, LIMITS)).toThrow("--devices 60000 does not fit: one address has 28232 ports");
  });

  it("refuses more devices than ports where the broker is elsewhere", () => {
    const demand = { ...DEMAND, devices: 60_000, processes: 4, hasOwnServer: false, brokerHost: "broker.example" };
    expect(() => planAddresses(demand, LIMITS)).toThrow(
      "--devices 60000 does not fit: one address has 28232 ports for connections to broker.example, of which 25408 are counted on",
    );
  });
});

describe("open files", () => {
  it("takes 18,000 devices on one server and one generator", () => {
    expect(planAddresses({ ...DEMAND, devices: 18_000 }, LIMITS)).toEqual([]);
  });

  it("refuses what one server cannot hold", () => {
    expect(() => planAddresses({ ...DEMAND, devices: 25_000, processes: 2 }, LIMITS)).toThrow(
      "--devices 25000 does not fit one server: the hard limit of open files is 20000 a process (ulimit -Hn), of which 200 are kept for other uses; at most 19800 devices fit",
    );
  });

  it("says how many processes would do", () => {
    const demand = { ...DEMAND, devices: 25_000, hasOwnServer: false };
    expect(() => planAddresses(demand, LIMITS)).toThrow("use --processes 2 or more");
    expect(planAddresses({ ...demand, processes: 2 }, LIMITS)).toEqual([]);
  });

  it("counts the files of an image store", () => {
    const demand = { ...DEMAND, devices: 6000, filesPerDevice: 3 };
    expect(() => planAddresses(demand, LIMITS)).toThrow("needs 24000 open files in each");
  });

  it("checks nothing that is not known", () =>
    expect(planAddresses({ ...DEMAND, devices: 1_000_000 }, {})).toEqual([]));
});

it("reads this machine's limits", async () => {
  const { openFiles, ports } = await readMachineLimits();
  expect(openFiles).toBeGreaterThan(100);
  expect(ports).toBeGreaterThan(1000);
});
