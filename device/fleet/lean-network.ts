/** A fleet's network of real sockets: lean connections to one broker. */
import type { FleetConnectionOptions, FleetEvents, FleetNetwork } from "./fleet-connection.ts";
import { LeanConnection } from "./lean-connection.ts";
import { LeanEndpoint } from "./lean-endpoint.ts";

/** Made once for all connections of a process to one broker; throws as {@link LeanEndpoint} does. */
export class LeanNetwork extends LeanEndpoint implements FleetNetwork {
  connect(options: FleetConnectionOptions, events: FleetEvents): LeanConnection {
    return new LeanConnection(this, options, events);
  }
}
