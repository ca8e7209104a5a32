/** A fleet comes to an end, also when its broker is gone for good: no device waits for ever, and nothing goes on. */
import { expect, it } from "vitest";
import type { FleetConnectionOptions, FleetEvents } from "../../device/fleet/fleet-connection.ts";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import { runFleet } from "../../device/fleet/run-fleet.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { VirtualNetwork } from "../../device/fleet/virtual-network.ts";
import type { Clock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { makePlan } from "../support/virtual-fleet.ts";

/** Lets each client connect once, to a broker that never answers a request. */
class OnceOnlyNetwork extends VirtualNetwork {
  private readonly time: VirtualClock;
  private readonly known = new Set<string>();

  constructor(clock: VirtualClock) {
    super(clock);
    this.time = clock;
  }

  override connect(options: FleetConnectionOptions, events: FleetEvents) {
    if (!this.known.has(options.clientId)) {
      this.known.add(options.clientId);
      return super.connect(options, events);
    }
    const ignored = { connected: () => {}, lost: () => {} } as unknown as FleetEvents;
    const connection = super.connect(options, ignored);
    connection.drop();
    this.time.setTimer(1, () => {
      this.touch();
      events.lost(new OtaError("BrokerUnreachable", "there is no broker"));
    });
    return connection;
  }
}

it.each([
  ["otastream", "ConnectionLost"],
  ["ota-v3.4", "BrokerUnreachable"],
])("a fleet of %s whose broker is gone ends", async (client, failure) => {
  const clock = new VirtualClock();
  const network = new OnceOnlyNetwork(clock);
  const plan = makePlan({ devices: 5, clients: [{ name: client, share: 1 }], faults: { rebootEveryMs: 60_000 } });
  let outcome: FleetOutcome | undefined;
  void runFleet({ plan, slice: { part: 0, parts: 1 }, clock, network, log: silentLog }).then((ended) => {
    outcome = ended;
  });
  await clock.runUntil(() => outcome !== undefined, 3_600_000);
  expect(outcome?.devices.map((device) => device.failure?.code)).toEqual(Array(5).fill(failure));
  expect(outcome?.devices.every(({ reboots }) => reboots > 0)).toBe(true);
});

it("nothing goes on after the end: the clock has nothing left to do", async () => {
  const virtual = new VirtualClock();
  const pending = new Set<object>();
  const clock: Clock = {
    epochMs: () => virtual.epochMs(),
    monotonicMs: () => virtual.monotonicMs(),
    setTimer(delayMs, callback) {
      const mark = {};
      pending.add(mark);
      const timer = virtual.setTimer(delayMs, () => {
        pending.delete(mark);
        callback();
      });
      return {
        cancel: () => {
          pending.delete(mark);
          timer.cancel();
        },
      };
    },
  };
  const network = new VirtualNetwork(clock);
  const links = [{ name: "lan", share: 1 }];
  const plan = makePlan({ devices: 5, links, faults: { disconnectEveryMs: 36_000_000, rebootEveryMs: 36_000_000 } });
  let isOver = false;
  void runFleet({ plan, slice: { part: 0, parts: 1 }, clock, network, log: silentLog }).then(() => {
    isOver = true;
  });
  await virtual.runUntil(() => isOver, 3_600_000);
  await virtual.runUntil(() => false, virtual.monotonicMs() + 60_000);
  expect(pending.size).toBe(0);
});
