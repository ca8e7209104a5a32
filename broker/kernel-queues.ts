/** What the kernel keeps for TCP sockets, from Linux's own books; other systems keep none that a program may read. */
import { readFileSync } from "node:fs";
import { readSendQueues } from "./protocol/socket-table.ts";

/** A look into the kernel's books. */
export interface KernelQueues {
  /** From here on the memory of all sockets together is worth a look at each, in bytes. */
  readonly worthALookBytes: number;
  /** From here on there is no room for a device that was not seen to read, in bytes. */
  readonly noRoomBytes: number;
  /** The memory of all TCP sockets of the machine, in bytes. One short read. */
  totalBytes(): number;
  /**
   * For each connection with anything, by `socketKey`, the bytes that were written and are not acknowledged; those over
   * IPv6 only if they are asked for, because even an empty table takes the kernel milliseconds.
   */
  sendQueues(withIpv6: boolean): ReadonlyMap<string, number>;
}

const WORTH_A_LOOK_BYTES = 128 * 1024 * 1024;
/** Where the kernel does not say when it begins to ration. */
const NO_ROOM_BYTES = 1024 * 1024 * 1024;
const PAGE_BYTES = 4096;
const TABLE = "/proc/net/tcp";
const IPV6_TABLE = "/proc/net/tcp6";

/** Opens the books, or returns undefined where there are none. */
export function openKernelQueues(): KernelQueues | undefined {
  const { lowBytes, pressureBytes } = readTcpMarks();
  if (readTcpBytes() === undefined || readText(TABLE) === "") return undefined;
  return {
    worthALookBytes: Math.min(WORTH_A_LOOK_BYTES, lowBytes / 4 || WORTH_A_LOOK_BYTES),
    // From here on the kernel rations the memory of everybody.
    noRoomBytes: pressureBytes || NO_ROOM_BYTES,
    totalBytes: () => readTcpBytes() ?? 0,
    sendQueues: (withIpv6) => {
      const queues = new Map<string, number>();
      readSendQueues(readText(TABLE), queues);
      if (withIpv6) readSendQueues(readText(IPV6_TABLE), queues);
      return queues;
    },
  };
}

/** From where the kernel counts TCP's memory as low no more, and from where it rations it, in bytes; NaN where it does not say. */
export function readTcpMarks(): { readonly lowBytes: number; readonly pressureBytes: number } {
  const [low, pressure] = readText("/proc/sys/net/ipv4/tcp_mem").trim().split(/\s+/);
  return { lowBytes: (Number(low) || NaN) * PAGE_BYTES, pressureBytes: (Number(pressure) || NaN) * PAGE_BYTES };
}

/** The memory of all TCP sockets of the machine, in bytes; undefined where the kernel does not say. */
export function readTcpBytes(): number | undefined {
  const pages = /^TCP:.*\bmem (\d+)/m.exec(readText("/proc/net/sockstat"))?.[1];
  return pages === undefined ? undefined : Number(pages) * PAGE_BYTES;
}

/** The text of a file of the kernel, or nothing where there is no such file. */
function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
