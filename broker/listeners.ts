/** The two doors of the broker: MQTT over TCP and MQTT over WebSocket. */
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, isIPv6, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { Log } from "../shared/log.ts";
import { OtaError } from "../shared/protocol/errors.ts";
import { MAX_PACKET_BYTES } from "../shared/protocol/limits.ts";
import { refuseUpgrade } from "./upgrade-rules.ts";

/** Takes a new connection, whose first bytes are MQTT. */
export type Accept = (connection: Duplex, request?: IncomingMessage) => void;

/** Where to listen; port 0 picks a free one. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** The command line flag that names the port, for messages. */
  readonly portFlag: string;
  readonly log: Log;
}

/** A listening server. */
export interface Listener {
  /** `address:port` as the operating system has it, IPv6 in brackets. */
  readonly authority: string;
  /** Takes no more connections; resolves when those that were taken are gone. */
  close(): Promise<void>;
}

/** Connections that may wait to be accepted; a fleet arrives all at once. */
const BACKLOG = 4096;
const TCP_KEEP_ALIVE_MS = 60_000;
/** A WebSocket message may carry the largest packet together with small ones. */
const MAX_WEBSOCKET_MESSAGE_BYTES = MAX_PACKET_BYTES + 64 * 1024;
const SUBPROTOCOLS = ["mqtt", "mqttv3.1"];

/** Listens for MQTT over TCP. Rejects with OtaError `AddressInUse` or `AddressNotAvailable`. */
export async function listenTcp(options: ListenOptions, accept: Accept): Promise<Listener> {
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
  const server = createServer({ noDelay: true, ...keepAlive }, (socket) => accept(socket));
  const authority = await listen(server, options);
  return { authority, close: () => closed(server) };
}

/**
 * Listens for MQTT over WebSocket, subprotocol `mqtt`, at `/` and `/mqtt`. A page of another site is refused (see
 * {@link refuseUpgrade}). Rejects with OtaError `AddressInUse` or `AddressNotAvailable`.
 */
export async function listenWebSocket(options: ListenOptions, accept: Accept): Promise<Listener> {
  const server = createHttpServer((_request, response) => {
    response.writeHead(426, { "content-type": "text/plain", upgrade: "websocket" });
    response.end("This port speaks MQTT over WebSocket.\n");
  });
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_WEBSOCKET_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", (error) => options.log.debug("WebSocket connection failed", { reason: error.message }));
    const refusal = refuseUpgrade(request.url ?? "/", request.headers, request.socket.localAddress);
    if (refusal !== undefined) {
      socket.end(
        `HTTP/1.1 ${refusal.status}\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${refusal.reason}\n`,
      );
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => accept(createWebSocketStream(webSocket), request));
  });
  const authority = await listen(server, options);
  return {
    authority,
    close: () => {
      const done = closed(server);
      server.closeAllConnections();
      return done;
    },
  };
}

async function listen(server: Server, { host, port, portFlag, log }: ListenOptions): Promise<string> {
  if (host === "") throw new OtaError("InvalidArgument", "--host must not be empty");
  try {
    server.listen({ host, port, backlog: BACKLOG });
    await once(server, "listening");
  } catch (error) {
    throw listenError(error, host, port, portFlag);
  }
  server.on("error", (error) => log.error("a listener failed", { reason: error.message }));
  const address = server.address() as AddressInfo;
  return `${isIPv6(address.address) ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenError(error: unknown, host: string, port: number, portFlag: string): OtaError {
  const { code, message } = error as NodeJS.ErrnoException;
  const where = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    return new OtaError("AddressInUse", `${where} is in use by another program; choose another port with ${portFlag}`);
  }
  if (code === "EACCES") {
    const advice = `choose a port above 1023 with ${portFlag}`;
    return new OtaError("AddressNotAvailable", `not permitted to listen on ${where}; ${advice}`, { cause: error });
  }
  const reason = `${host} is not an address of this machine (${code ?? message})`;
  return new OtaError("AddressNotAvailable", `cannot listen on ${where}: ${reason}; choose another with --host`, {
    cause: error,
  });
}

async function closed(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
