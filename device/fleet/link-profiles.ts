/** Networks that devices are found behind, as numbers, each with the source of them. No IO. */

/** One kind of link between a device and its broker. */
export interface LinkProfile {
  readonly name: string;
  /** Towards the device, in bytes per second. */
  readonly downBytesPerSecond: number;
  /** From the device, in bytes per second. */
  readonly upBytesPerSecond: number;
  /** There and back for a message of no length, in milliseconds. */
  readonly roundTripMs: number;
  /** Most that is added to a message's delay each way, drawn uniformly, in milliseconds; messages keep their order. */
  readonly jitterMs: number;
  /** Share of MQTT messages that do not arrive, each way, 0-1. */
  readonly loss: number;
  /** Where the numbers come from. */
  readonly source: string;
}

const KILOBIT = 1000 / 8;
const MEGABIT = 1000 * KILOBIT;

/** The profiles by name. */
export const LINK_PROFILES = {
  lan: {
    name: "lan",
    downBytesPerSecond: 100 * MEGABIT,
    upBytesPerSecond: 100 * MEGABIT,
    roundTripMs: 1,
    jitterMs: 0,
    loss: 0,
    source: "Fast Ethernet (IEEE 802.3u): 100 Mbit/s; a switched segment's round trip is below 1 ms",
  },
  "wifi-poor": {
    name: "wifi-poor",
    downBytesPerSecond: 5 * MEGABIT,
    upBytesPerSecond: 2 * MEGABIT,
    roundTripMs: 40,
    jitterMs: 20,
    loss: 0.02,
    source:
      "ours: an 802.11n station at the edge of its cell, lowest MCS of 6.5 Mbit/s less overhead, with retries as jitter",
  },
  "lte-m": {
    name: "lte-m",
    downBytesPerSecond: 300 * KILOBIT,
    upBytesPerSecond: 375 * KILOBIT,
    roundTripMs: 120,
    jitterMs: 30,
    loss: 0.005,
    source: "3GPP Release 13 Cat-M1, half duplex: 300 kbit/s down, 375 kbit/s up; round trip and loss ours",
  },
  "nb-iot": {
    name: "nb-iot",
    downBytesPerSecond: 26 * KILOBIT,
    upBytesPerSecond: 62 * KILOBIT,
    roundTripMs: 1500,
    jitterMs: 300,
    loss: 0.01,
    source:
      "3GPP Release 13 Cat-NB1: 26 kbit/s down, 62 kbit/s up (multi-tone); round trip of 1.6 s typical, loss ours",
  },
  satellite: {
    name: "satellite",
    downBytesPerSecond: 492 * KILOBIT,
    upBytesPerSecond: 492 * KILOBIT,
    roundTripMs: 560,
    jitterMs: 20,
    loss: 0.005,
    source:
      "RFC 2488 section 2: 558 ms for a geostationary hop there and back; Inmarsat BGAN: up to 492 kbit/s; loss ours",
  },
} as const satisfies Readonly<Record<string, LinkProfile>>;
