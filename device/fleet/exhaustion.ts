/** What a machine ran out of while a fleet ran, by the system's own error codes. No IO. */
import type { OtaError } from "../../shared/protocol/errors.ts";

const RESOURCES: Readonly<Record<string, string>> = {
  EMFILE: "open files of this process",
  ENFILE: "open files of this machine",
  EADDRNOTAVAIL: "local ports of a source address",
  EADDRINUSE: "local ports of a source address",
  ENOBUFS: "socket buffers of this machine",
  ENOMEM: "memory of this machine",
  EAGAIN: "resources of this machine",
  ENOSPC: "space on the disk",
};
const CODE = new RegExp(`\\b(${Object.keys(RESOURCES).join("|")})\\b`);

/** Counts errors that mean that something ran out. */
export class Exhaustion {
  private readonly counts = new Map<string, { times: number; readonly connected: number }>();

  /** Takes an error of a device; `countConnected` says how many connections stand, and is asked once for each code. */
  note(error: OtaError, countConnected: () => number): void {
    // MQTT.js tells the code in words only.
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code ?? "";
    const known = CODE.exec(`${code} ${error.message}`)?.[1];
    if (known === undefined) return;
    const count = this.counts.get(known);
    if (count === undefined) this.counts.set(known, { times: 1, connected: countConnected() });
    else count.times++;
  }

  /** A sentence for each, with figures. */
  describe(): string[] {
    return [...this.counts].map(
      ([code, { times, connected }]) =>
        `${RESOURCES[code]} ran out (${code}): ${times === 1 ? "once" : `${times} times, first`} with ${connected} connections`,
    );
  }
}
