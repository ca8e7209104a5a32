/** What a device that reads nothing may cost the kernel, and what one that reads is never refused. */
import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { ClientLink } from "../../broker/client-link.ts";
import type { KernelQueues } from "../../broker/kernel-queues.ts";
import { SendAllowance } from "../../broker/send-allowance.ts";
import { type ControlClock, createControlClock } from "../support/control-clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
let totalBytes = 0;
let looks = 0;
let peers = 0;
let queues: Map<string, number>;
let clock: ControlClock;
let allowance: SendAllowance;
let again: ClientLink[];

beforeEach(() => {
  totalBytes = 0;
  looks = 0;
  queues = new Map();
  again = [];
  clock = createControlClock(0);
  const kernel: KernelQueues = {
    worthALookBytes: 64 * MIB,
    totalBytes: () => totalBytes,
    sendQueues: () => {
      looks++;
      return queues;
    },
  };
  allowance = new SendAllowance(kernel, clock, (link) => again.push(link));
});

function connect(): ClientLink {
  const link = new ClientLink(new PassThrough(), () => {});
  Object.assign(link, { socketKey: `peer ${peers++}` });
  allowance.add(link);
  return link;
}

/** Writes to a link as much as it may, up to some bytes, and returns how much that was. */
function write(link: ClientLink, bytes: number): number {
  let written = 0;
  while (written < bytes && allowance.allows(link)) {
    allowance.count(link, 64 * KIB);
    written += 64 * KIB;
  }
  queues.set(link.socketKey, link.unseenBytes);
  if (written < bytes) link.owesReady = true;
  return written;
}

describe("SendAllowance", () => {
  it("limits nobody and looks at no socket while all sockets together take little", () => {
    const link = connect();
    expect(write(link, 100 * MIB)).toBe(100 * MIB);
    clock.advance(10_000);
    expect(looks).toBe(0);
  });

  it("stops at 256 KiB for a device that takes nothing, once there is little room, and goes on when it takes them", () => {
    const other = connect();
    totalBytes = 65 * MIB;
    write(other, 4 * MIB);
    expect(looks).toBe(1);
    const frozen = connect();
    expect(write(frozen, 10 * MIB)).toBe(256 * KIB);
    for (let look = 0; look < 8; look++) clock.advance(250);
    expect(write(frozen, 10 * MIB)).toBe(0);
    expect(again.at(-1)).toBe(frozen);
    const { progressCount } = frozen;
    queues.delete(frozen.socketKey);
    clock.advance(250);
    expect(frozen.progressCount).toBe(progressCount + 1);
    expect(allowance.allows(frozen)).toBe(true);
  });

  it("allows four times what a device takes between two looks, and the least again after a second without", () => {
    const link = connect();
    totalBytes = 65 * MIB;
    expect(write(link, 4 * MIB)).toBe(4 * MIB);
    expect(write(link, 100 * MIB)).toBe(16 * MIB);
    for (let look = 0; look < 8; look++) clock.advance(250);
    expect(link.unseenBytes).toBe(16 * MIB);
    expect(link.earnedBytes).toBe(0);
    queues.set(link.socketKey, 0);
    clock.advance(250);
    expect(write(link, 100 * MIB)).toBe(64 * MIB);
  });

  it("lets everybody go on when there is room again", () => {
    totalBytes = 65 * MIB;
    write(connect(), 4 * MIB);
    const frozen = connect();
    write(frozen, MIB);
    for (let look = 0; look < 6; look++) clock.advance(250);
    expect(allowance.allows(frozen)).toBe(false);
    totalBytes = 10 * MIB;
    clock.advance(250);
    expect(again.at(-1)).toBe(frozen);
    expect(write(frozen, 10 * MIB)).toBe(10 * MIB);
  });

  it("leaves no timer behind when nobody is connected any more", () => {
    const link = connect();
    totalBytes = 65 * MIB;
    write(link, 4 * MIB);
    allowance.remove(link);
    const before = looks;
    clock.advance(10_000);
    expect(looks).toBe(before);
  });

  it("limits nobody where the kernel tells nothing", () => {
    const blind = new SendAllowance(undefined, clock, () => {});
    const link = connect();
    for (let chunk = 0; chunk < 1_000; chunk++) blind.count(link, 64 * KIB);
    expect(blind.allows(link)).toBe(true);
  });
});
