/** A device's transport over any MQTT broker. */
import type { Log } from "./log.ts";
import type { MqttSession, MqttSessionOptions } from "./mqtt-session.ts";
import { OtaError } from "./protocol/errors.ts";
import type { DeviceHandlers, DeviceTransport } from "./transport.ts";

/** Makes the session of a device, once its topic filters are known. */
export type MakeSession = (parts: Pick<MqttSessionOptions, "topicFilters" | "events">) => MqttSession;

/** Carries one device's messages over a connection that comes back by itself. */
export class MqttDeviceTransport implements DeviceTransport {
  private readonly makeSession: MakeSession;
  private readonly log: Log;
  private session: MqttSession | undefined;

  constructor(makeSession: MakeSession, log: Log) {
    this.makeSession = makeSession;
    this.log = log;
  }

  async connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void> {
    if (this.session !== undefined) throw new OtaError("InvalidArgument", "the device transport is connected already");
    this.session = this.makeSession({
      topicFilters,
      events: {
        connected: () => handlers.connected(),
        disconnected: (reason) => handlers.disconnected(reason),
        attemptFailed: (reason) => this.log.debug("the broker is still away", { reason }),
        messageArrived: (topic, payload) => handlers.messageArrived(topic, payload),
        drained: () => {},
      },
    });
    try {
      await this.session.start();
    } catch (error) {
      this.session = undefined;
      throw error;
    }
  }

  async subscribe(topicFilter: string): Promise<void> {
    const connection = this.session?.current;
    if (connection === undefined) throw new OtaError("ConnectionLost", "there is no connection to subscribe on");
    await connection.subscribe(topicFilter);
  }

  publish(topic: string, payload: Uint8Array): void {
    const isSent = this.session?.current?.publish(topic, payload) ?? false;
    if (!isSent) this.log.debug("message dropped", { topic });
  }

  async close(): Promise<void> {
    await this.session?.close();
  }
}
