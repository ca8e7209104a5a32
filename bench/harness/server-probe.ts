/** Loaded into the server's process before it (`node --import`): says how much it keeps for connections that do not read. */
import { subscribe } from "node:diagnostics_channel";
import { Server as HttpServer } from "node:http";
import type { Server, Socket } from "node:net";
import { answerQuestions } from "./channel.ts";

/** What a server's process holds; connections are those of MQTT over TCP. */
export interface ServerState {
  readonly connections: number;
  /** Connections with bytes that the kernel has not taken, or to which nothing was written since the last two questions. */
  readonly stalledConnections: number;
  /** The bytes that the kernel has not taken, of all connections. */
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
/** What was written to each socket by the last question, and for how many questions it was the same. */
const still = new WeakMap<Socket, { readonly bytes: number; readonly questions: number }>();

function isStill(socket: Socket): boolean {
  const bytes = socket.bytesWritten;
  const last = still.get(socket);
  const questions = last?.bytes === bytes ? last.questions + 1 : 0;
  still.set(socket, { bytes, questions });
  return questions >= 2;
}

subscribe("net.server.socket", (message) => {
  const { socket } = message as { socket: Socket & { readonly server: Server } };
  // The stream API and the embedded storage keep idle connections of their clients.
  if (socket.server instanceof HttpServer) return;
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
});

answerQuestions<"state", ServerState>(async () => {
  const all = [...sockets];
  const stalled = all.filter((socket) => isStill(socket) || socket.writableLength > 0);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    connections: sockets.size,
    stalledConnections: stalled.length,
    waitingBytes: all.reduce((sum, { writableLength }) => sum + writableLength, 0),
    heapBytes: heapUsed,
    bufferBytes: arrayBuffers,
  };
});
