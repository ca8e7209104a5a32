/** Connections that stand until a whole fleet has ended, as they stood before it began: a download is what is measured. */
import type { FleetConnectionOptions, FleetEvents, FleetNetwork } from "../../device/fleet/fleet-connection.ts";
import { LeanConnection } from "../../device/fleet/lean-connection.ts";
import { LeanEndpoint } from "../../device/fleet/lean-endpoint.ts";

/** One connection whose device has no say in when it is closed. */
class StandingConnection extends LeanConnection {
  private readonly ended: (connection: StandingConnection) => void;

  constructor(
    network: LeanEndpoint,
    options: FleetConnectionOptions,
    events: FleetEvents,
    ended: (connection: StandingConnection) => void,
  ) {
    super(network, options, events);
    this.ended = ended;
  }

  override close(): void {
    this.ended(this);
  }

  leave(): void {
    this.drop();
  }
}

/** Lean connections to one broker, which are closed together. */
export class StandingNetwork extends LeanEndpoint implements FleetNetwork {
  private readonly standing: StandingConnection[] = [];

  connect(options: FleetConnectionOptions, events: FleetEvents): StandingConnection {
    return new StandingConnection(this, options, events, (connection) => this.standing.push(connection));
  }

  /** Closes the connections of all devices that have ended. */
  leave(): void {
    for (const connection of this.standing.splice(0)) connection.leave();
  }
}
