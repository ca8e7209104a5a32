/** What a process uses, as far as a fleet reports it. */

/** Reads the use of the process that a fleet runs in. */
export interface ProcessProbe {
  /** Processor time since the process began, in milliseconds. */
  cpuMs(): number;
  residentBytes(): number;
}

/** This process. */
export const systemProbe: ProcessProbe = {
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  residentBytes: () => process.memoryUsage.rss(),
};
