/** The way to a plan's broker over sockets, and a look whether somebody answers there. */
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { formatTopic } from "../../shared/protocol/topics.ts";
import type { FleetEvents, FleetNetwork } from "./fleet-connection.ts";
import type { FleetPlan } from "./fleet-plan.ts";
import { LeanNetwork } from "./lean-network.ts";
import { MqttJsNetwork } from "./mqttjs-network.ts";

/** What sockets need. */
export interface FleetSocketOptions {
  readonly plan: FleetPlan;
  readonly clock: Clock;
  readonly log: Log;
}

/** Makes the network that the plan's connections are made of. Throws OtaError `InvalidArgument` for a URL it cannot reach. */
export function openFleetSockets({ plan, clock, log }: FleetSocketOptions): FleetNetwork {
  const { brokerUrl: url, sourceAddresses } = plan;
  return plan.connection === "lean"
    ? new LeanNetwork({ url, clock, sourceAddresses })
    : new MqttJsNetwork({ url, clock, log });
}

const ignore = (): void => {};

/**
 * Connects and subscribes once as one more device would, so that a broker that is not there is one failure and not one
 * of each device. Rejects with OtaError `BrokerUnreachable` or `SubscriptionRefused`, or `Interrupted` by the signal.
 */
export function probeBroker({ signal, ...options }: FleetSocketOptions & { readonly signal: AbortSignal }) {
  const { thingPrefix, streamId, format } = options.plan;
  const clientId = `${thingPrefix}-probe`;
  const topicFilters = [formatTopic(clientId, streamId, "data", format)];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const noBlocks = { runArrived: ignore, payloadArrived: ignore, blockArrived: ignore, takeBlock: ignore };
  const nothing = { ...noBlocks, blockSpoiled: ignore, subscribed: ignore, messageArrived: ignore };
  const events: FleetEvents = { ...nothing, connected: resolve, lost: reject };
  const connection = openFleetSockets(options).connect({ clientId, topicFilters }, events);
  const interrupt = (): void => reject(new OtaError("Interrupted", "interrupted", { retryable: true }));
  signal.addEventListener("abort", interrupt);
  if (signal.aborted) interrupt();
  return promise.finally(() => {
    signal.removeEventListener("abort", interrupt);
    connection.close();
  });
}
