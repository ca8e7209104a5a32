/** Counts what a fleet's sockets need before it begins: open files of each process, and ports of each address. */
import { readFile } from "node:fs/promises";
import { OtaError } from "../../shared/protocol/errors.ts";

/** What this machine allows; a figure that cannot be read is absent, and then not checked. */
export interface MachineLimits {
  /** Open files of one process (the hard limit: Node raises the soft one to it). */
  readonly openFiles?: number;
  /** Ports for outgoing connections from one address to another. */
  readonly ports?: number;
}

/** What is asked of the machine. */
export interface Demand {
  readonly devices: number;
  readonly processes: number;
  readonly brokerHost: string;
  /** The server is a process of this run. */
  readonly hasOwnServer: boolean;
  /** The connections can be made from an address of the run's choice. */
  readonly choosesAddress: boolean;
  /** Files that one device keeps open beside its connection. */
  readonly filesPerDevice: number;
}

/** Open files of a process beside its devices' sockets: modules, listeners, storage connections, pipes. */
const SPARE_FILES = 200;
/** Share of an address's ports that is counted on; other programs have some. A broker that closes first leaves none in TIME_WAIT. */
const USABLE_PORTS = 0.9;
/** Every address of 127.0.0.0/8 is this machine's on Linux. */
const MOST_LOOPBACK_ADDRESSES = 250;

/** Reads the limits of this machine, on Linux; elsewhere nothing is known. */
export async function readMachineLimits(): Promise<MachineLimits> {
  const [limits, range] = await Promise.all(
    ["/proc/self/limits", "/proc/sys/net/ipv4/ip_local_port_range"].map((path) =>
      readFile(path, "latin1").catch(() => ""),
    ),
  );
  const openFiles = /^Max open files\s+\S+\s+(\d+)/m.exec(limits ?? "")?.[1];
  const [lowest, highest] = (range ?? "").trim().split(/\s+/).map(Number);
  return {
    ...(openFiles !== undefined && { openFiles: Number(openFiles) }),
    ...(lowest && highest && { ports: highest - lowest + 1 }),
  };
}

/**
 * The addresses to connect from, one after another; empty leaves it to the system. Throws OtaError `InvalidArgument`
 * when the run does not fit, with the figures.
 */
export function planAddresses(demand: Demand, limits: MachineLimits): string[] {
  refuseFiles(demand, limits);
  const { devices, brokerHost, choosesAddress } = demand;
  const perAddress = limits.ports === undefined ? Number.POSITIVE_INFINITY : Math.floor(limits.ports * USABLE_PORTS);
  if (devices <= perAddress) return [];
  const addresses = Math.ceil(devices / perAddress);
  if (choosesAddress && isLoopback(brokerHost) && addresses <= MOST_LOOPBACK_ADDRESSES) {
    return Array.from({ length: addresses }, (_, index) => `127.0.0.${index + 1}`);
  }
  throw new OtaError(
    "InvalidArgument",
    `--devices ${devices} does not fit: one address has ${limits.ports} ports for connections to ${brokerHost}, of which ${perAddress} are counted on; use fewer devices or several machines`,
  );
}

function refuseFiles(demand: Demand, { openFiles }: MachineLimits): void {
  if (openFiles === undefined) return;
  const { devices, processes, hasOwnServer, filesPerDevice } = demand;
  const most = openFiles - SPARE_FILES;
  const inGenerator = Math.ceil(devices / processes) * (1 + filesPerDevice);
  const advice = `the hard limit of open files is ${openFiles} a process (ulimit -Hn), of which ${SPARE_FILES} are kept for other uses`;
  if (hasOwnServer && devices > most) {
    const fits = `at most ${most} devices fit`;
    throw new OtaError("InvalidArgument", `--devices ${devices} does not fit one server: ${advice}; ${fits}`);
  }
  if (inGenerator > most) {
    const needed = Math.ceil((devices * (1 + filesPerDevice)) / most);
    throw new OtaError(
      "InvalidArgument",
      `--devices ${devices} with --processes ${processes} needs ${inGenerator} open files in each: ${advice}; use --processes ${needed} or more`,
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || /^127\./.test(host);
}
