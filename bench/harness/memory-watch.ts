/** The most memory that a measurement takes while it runs: the server's, the receiver's, and the kernel's for sockets. */
import { kernelSocketBytes, residentBytes } from "./process-figures.ts";

/** In bytes; the kernel's is that of the whole machine. */
export interface MemoryPeak {
  serverBytes: number;
  receiverBytes: number;
  kernelBytes: number;
}

const LOOK_EVERY_MS = 100;

/** Begins to watch; the result ends it and tells the peak so far. */
export function watchMemory(serverPids: readonly number[], receiverPid: number): () => MemoryPeak {
  const peak: MemoryPeak = { serverBytes: 0, receiverBytes: 0, kernelBytes: 0 };
  const look = (): void => {
    const serverBytes = serverPids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    peak.serverBytes = Math.max(peak.serverBytes, serverBytes);
    peak.receiverBytes = Math.max(peak.receiverBytes, residentBytes(receiverPid));
    peak.kernelBytes = Math.max(peak.kernelBytes, kernelSocketBytes());
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}
