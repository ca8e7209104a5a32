/** The MQTT broker: a door, and the two listeners that bring connections to it. */
import type { PublisherTransport } from "../shared/transport.ts";
import { Door, type DoorOptions } from "./door.ts";
import { type Listener, listenTcp, listenWebSocket } from "./listeners.ts";

/** How to run a broker; port 0 picks a free one. */
export interface BrokerOptions extends DoorOptions {
  readonly host: string;
  readonly mqttPort: number;
  readonly wsPort: number;
}

/** A running broker. */
export interface Broker {
  /** `mqtt://host:port` as bound. */
  readonly mqttUrl: string;
  /** `ws://host:port` as bound. */
  readonly wsUrl: string;
  readonly transport: PublisherTransport;
  /** Closes every connection and both ports. */
  close(): Promise<void>;
}

/** Starts a broker. Rejects with OtaError `AddressInUse` or `AddressNotAvailable`, with nothing left running. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { host, log } = options;
  const door = await Door.open(options);
  const accept = door.accept.bind(door);
  const listeners: Listener[] = [];
  const close = async (): Promise<void> => {
    const closing = listeners.map((listener) => listener.close());
    await door.close();
    await Promise.all(closing);
  };
  try {
    const tcp = await listenTcp({ host, port: options.mqttPort, portFlag: "--mqtt-port", log }, accept);
    listeners.push(tcp);
    const webSocket = await listenWebSocket({ host, port: options.wsPort, portFlag: "--ws-port", log }, accept);
    listeners.push(webSocket);
    const transport = door.transport;
    return { mqttUrl: `mqtt://${tcp.authority}`, wsUrl: `ws://${webSocket.authority}`, transport, close };
  } catch (error) {
    await close();
    throw error;
  }
}
