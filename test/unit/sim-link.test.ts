import { describe, expect, it } from "vitest";
import { emptyTally, type FaultRates, Faults, LINK_FAULTS, type LinkFault } from "../../device/fleet/faults.ts";
import { TimerWheel } from "../../device/fleet/lean-timers.ts";
import { SimLink, type SimLinkOptions } from "../../device/fleet/sim-link.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { seededRandom } from "../../shared/random.ts";

/** A link of 1,000 bytes per second and 100 ms, on a wheel of 1 ms, that notes what arrives and when. */
function openLink(options: Partial<SimLinkOptions> = {}, rates: FaultRates<LinkFault> = {}) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const tally = emptyTally(LINK_FAULTS);
  const arrived: [name: string, atMs: number][] = [];
  let rooms = 0;
  const link = new SimLink<string>(
    {
      clock,
      timers: new TimerWheel(clock, 1),
      random,
      faults: new Faults(random, rates, tally),
      bytesPerSecond: 1_000,
      oneWayMs: 100,
      jitterMs: 0,
      loss: 0,
      ...options,
    },
    {
      arrive: (name, nowMs) => arrived.push([name, nowMs]),
      roomMade: () => {
        rooms++;
      },
      corrupt: (name) => `${name}, changed`,
      truncate: (name) => `${name}, cut`,
    },
  );
  const run = (untilMs: number): Promise<boolean> => clock.runUntil(() => false, untilMs);
  return { link, clock, arrived, tally, run, rooms: () => rooms };
}

describe("a simulated link", () => {
  it("lets messages leave at its rate and arrive a delay later, in order", async () => {
    const { link, arrived, run } = openLink();
    link.send("a", 50);
    link.send("b", 200);
    await run(149);
    expect(arrived).toEqual([]);
    await run(10_000);
    expect(arrived).toEqual([
      ["a", 150],
      ["b", 350],
    ]);
  });

  it("hands over at once what nothing delays", () => {
    const { link, arrived } = openLink({ bytesPerSecond: Number.POSITIVE_INFINITY, oneWayMs: 0 });
    link.send("a", 1_000_000_000);
    expect(arrived).toEqual([["a", 0]]);
    expect(link.isFull).toBe(false);
  });

  it("is full with 64 KiB that have not left, and says when half of it has", async () => {
    const { link, run, rooms } = openLink({ bytesPerSecond: 65_536 });
    for (let block = 0; block < 15; block++) link.send("block", 4096);
    expect(link.isFull).toBe(false);
    link.send("block", 4096);
    expect(link.isFull).toBe(true);
    link.wantRoom();
    await run(499);
    expect(rooms()).toBe(0);
    await run(502);
    expect(rooms()).toBe(1);
    expect(link.isFull).toBe(false);
  });

  it("is full with 1 MiB on its way when its rate is no limit, and says when half of it arrived", async () => {
    const { link, run, rooms, clock } = openLink({ bytesPerSecond: Number.POSITIVE_INFINITY });
    for (let block = 0; block < 128; block++) link.send("block", 4096);
    await run(50);
    clock.setTimer(10, () => {});
    await clock.runUntil(() => false, 60);
    for (let block = 0; block < 128; block++) link.send("block", 4096);
    expect(link.isFull).toBe(true);
    link.wantRoom();
    await run(99);
    expect(rooms()).toBe(0);
    await run(101);
    expect(rooms()).toBe(1);
  });

  it("says that there is room at once when it is empty", async () => {
    const { link, run, rooms } = openLink();
    link.wantRoom();
    await run(10);
    expect(rooms()).toBe(1);
  });

  it("loses what is on its way when it is cut", async () => {
    const { link, arrived, run } = openLink();
    link.send("a", 10);
    link.cut();
    await run(1_000);
    expect(arrived).toEqual([]);
  });

  it("counts every fault that strikes", async () => {
    const rates = { drop: 0.2, duplicate: 0.2, reorder: 0.2, delay: 0.1, corrupt: 0.2, truncate: 0.2 };
    const { link, arrived, tally, run } = openLink({ bytesPerSecond: 1e9 }, rates);
    for (let name = 0; name < 500; name++) link.send(`${name}`, 10);
    await run(60_000);
    for (const name of LINK_FAULTS) expect(tally[name], name).toBeGreaterThan(20);
    expect(arrived).toHaveLength(500 - tally.drop + tally.duplicate);
    const first = arrived.map(([name]) => Number.parseInt(name, 10));
    expect(first).not.toEqual([...first].sort((a, b) => a - b));
    const times = arrived.map(([, atMs]) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });
});
