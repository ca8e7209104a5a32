/** A fleet whose broker goes away for good comes to an end: no device waits for it for ever, a rebooted one neither. */
import { expect, it } from "vitest";
import type { FleetConnectionOptions, FleetEvents } from "../../device/fleet/fleet-connection.ts";
import type { FleetOutcome } from "../../device/fleet/fleet-outcome.ts";
import { runFleet } from "../../device/fleet/run-fleet.ts";
import { VirtualClock } from "../../device/fleet/virtual-clock.ts";
import { VirtualNetwork } from "../../device/fleet/virtual-network.ts";
import { silentLog } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { virtualPlan } from "../support/virtual-fleet.ts";

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
  const plan = virtualPlan({ devices: 5, clients: [{ name: client, share: 1 }], faults: { rebootEveryMs: 60_000 } });
  let outcome: FleetOutcome | undefined;
  void runFleet({ plan, slice: { part: 0, parts: 1 }, clock, network, log: silentLog }).then((ended) => {
    outcome = ended;
  });
  await clock.runUntil(() => outcome !== undefined, 3_600_000);
  expect(outcome?.devices.map((device) => device.failure?.code)).toEqual(Array(5).fill(failure));
  expect(outcome?.devices.every(({ reboots }) => reboots > 0)).toBe(true);
});
