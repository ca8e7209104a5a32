/** Loaded into the server's process before it (`node --import`): says how much it keeps for connections that do not read. */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { answerQuestions } from "./channel.ts";

/** What a server's process holds. */
export interface ServerState {
  readonly connections: number;
  /** Connections with bytes that the kernel has not taken. */
  readonly stalledConnections: number;
  /** Those bytes, of all connections. */
  readonly waitingBytes: number;
  readonly heapBytes: number;
  /** Memory of buffers. */
  readonly bufferBytes: number;
}

// The server ends by itself when it is told to, but an open channel would keep it; if the benchmark is gone, nobody tells it.
let isTold = false;
process.once("SIGTERM", () => {
  isTold = true;
  if (process.connected) process.disconnect();
});
process.once("disconnect", () => {
  if (!isTold) process.kill(process.pid, "SIGTERM");
});

const sockets = new Set<Socket>();

subscribe("net.server.socket", (message) => {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
});

answerQuestions<"state", ServerState>(async () => {
  const waiting = [...sockets].map((socket) => socket.writableLength).filter((bytes) => bytes > 0);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    connections: sockets.size,
    stalledConnections: waiting.length,
    waitingBytes: waiting.reduce((sum, bytes) => sum + bytes, 0),
    heapBytes: heapUsed,
    bufferBytes: arrayBuffers,
  };
});
