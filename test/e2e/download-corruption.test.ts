/** Downloads from a real server with messages that are changed on their way: what is fetched again, and what is never accepted. */
import { access, readdir, readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../shared/clock.ts";
import { someBytes } from "../contract/object-store.ts";
import { digestsOf } from "../support/image-fixture.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/otastream-delivery.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";
import {
  flipBlockBit,
  type IncomingMessage,
  type Tamper,
  type WatchedDownload,
  type WatchedDownloadOptions,
  watchedDownload,
} from "../support/session-download.ts";

const BLOCK_BYTES = 4096;
const BLOCKS = 100;
const SIZE_BYTES = BLOCKS * BLOCK_BYTES - 1000;
const VICTIM = 37;

let server: RunningServer;
let strict: RunningServer;
let directory: TemporaryDirectory;
const image = someBytes(SIZE_BYTES);
const digests = digestsOf(image);

beforeAll(async () => {
  [server, strict] = await Promise.all([startRunningServer(), startRunningServer({ profile: "strict" })]);
  await Promise.all([server.publish("firmware", [image]), strict.publish("firmware", [image])]);
});
afterAll(() => Promise.all([server.close(), strict.close()]));
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory.remove());

function download(options: Partial<WatchedDownloadOptions>): Promise<WatchedDownload> {
  return watchedDownload({
    broker: server.urls.mqtt,
    streamId: "firmware",
    directory: directory.in("out"),
    ...options,
  });
}

async function expectVerified({ error, result }: WatchedDownload): Promise<void> {
  expect(error).toBeUndefined();
  expect(result?.files[0]).toMatchObject({ fileId: 0, verified: "digest", ...digests });
  expect((await readFile(directory.in("out", "firmware", "0"))).equals(image)).toBe(true);
}

async function expectNoImage({ error }: WatchedDownload): Promise<void> {
  expect(error).toMatchObject({ name: "OtaError", code: "DigestMismatch", retryable: false });
  expect((error as Error).message).toContain("file 0 of stream firmware is not the original");
  await expect(access(directory.in("out", "firmware", "0"))).rejects.toThrow("ENOENT");
}

/** Does something to the first `most` messages of an operation that a test picks. */
function firstOnes(most: number, isPicked: (message: IncomingMessage) => boolean, change: Tamper): Tamper {
  let left = most;
  return (message) => {
    if (left === 0 || !isPicked(message)) return undefined;
    left--;
    return change(message);
  };
}

const isVictim = ({ blockId }: IncomingMessage): boolean => blockId === VICTIM;

describe("one corrupt block", () => {
  it("is all that is asked for again where the publisher has a manifest", async () => {
    const outcome = await download({ tamper: firstOnes(1, isVictim, flipBlockBit) });
    await expectVerified(outcome);
    const { transport } = outcome;
    expect(transport.askedAgain).toEqual([VICTIM]);
    expect(transport.messages("data")).toBe(BLOCKS + 1);
    expect(transport.messages("checksums")).toBe(1);
    expect(transport.subscribed).toEqual(["description", "data", "rejected", "checksums"]);
  });

  it("makes the whole file come once more where it has none", async () => {
    const outcome = await download({ broker: strict.urls.mqtt, digests, tamper: firstOnes(1, isVictim, flipBlockBit) });
    await expectVerified(outcome);
    const { transport } = outcome;
    expect([...transport.asked.values()]).toEqual(Array.from({ length: BLOCKS }, () => 2));
    expect(transport.messages("data")).toBe(2 * BLOCKS);
    expect(transport.subscribed).toEqual(["description", "data", "rejected"]);
  });

  it("is found although the first manifest is corrupt, too", async () => {
    const flipChecksum = ({ payload }: IncomingMessage): undefined => {
      // Any byte near the end is one of the last blocks' checksums.
      payload[payload.length - 10] = (payload[payload.length - 10] as number) ^ 1;
    };
    const onManifest = firstOnes(1, ({ operation }) => operation === "checksums", flipChecksum);
    const onBlock = firstOnes(1, isVictim, flipBlockBit);
    const outcome = await download({ tamper: (message) => onManifest(message) ?? onBlock(message) });
    await expectVerified(outcome);
    expect(outcome.transport.askedAgain).toContain(VICTIM);
    expect(outcome.transport.askedAgain.length).toBeLessThanOrEqual(2);
  });

  it("is one of many: each is asked for again, and no other", async () => {
    const victims = [0, 1, 50, 98, 99];
    const flips = new Set(victims);
    const outcome = await download({
      tamper: (message) => {
        if (message.blockId !== undefined && flips.delete(message.blockId)) flipBlockBit(message);
        return undefined;
      },
    });
    await expectVerified(outcome);
    expect(outcome.transport.askedAgain.sort((left, right) => left - right)).toEqual(victims);
  });
});

describe("messages that cannot be what they say", () => {
  it("are dropped and asked for again, without the manifest: cut short", async () => {
    const cut: Tamper = ({ payload }) => payload.subarray(0, payload.length - 10);
    const outcome = await download({ tamper: firstOnes(1, isVictim, cut) });
    await expectVerified(outcome);
    expect(outcome.transport.askedAgain).toEqual([VICTIM]);
    expect(outcome.transport.messages("checksums")).toBe(0);
    expect(outcome.log.lines.filter(({ message }) => message === "a message could not be decoded")).toHaveLength(1);
  });

  it("are dropped and asked for again: the last one, by the timer", async () => {
    const outcome = await download({
      tamper: firstOnes(
        1,
        ({ blockId }) => blockId === BLOCKS - 1,
        () => new Uint8Array(),
      ),
      clock: systemClock,
    });
    await expectVerified(outcome);
    expect(outcome.result?.files[0]?.timeouts).toBeGreaterThanOrEqual(1);
  });

  it("are survived when every third is noise", async () => {
    let count = 0;
    const outcome = await download({
      tamper: ({ operation, payload }) => (operation === "data" && ++count % 3 === 0 ? payload.fill(count) : undefined),
    });
    await expectVerified(outcome);
  });
});

describe("corruption that stays", () => {
  it("ends with DigestMismatch and no image in place, within bounds", async () => {
    const outcome = await download({ tamper: (message) => (isVictim(message) ? flipBlockBit(message) : undefined) });
    await expectNoImage(outcome);
    const { transport } = outcome;
    expect(transport.messages("data")).toBeLessThanOrEqual(2 * BLOCKS + 6);
    expect(transport.messages("checksums")).toBeLessThanOrEqual(6);
    for (const [blockId, times] of transport.asked) expect(times).toBeLessThanOrEqual(blockId === VICTIM ? 8 : 2);
  });

  it("ends the same way without a manifest", async () => {
    const outcome = await download({
      broker: strict.urls.mqtt,
      digests,
      tamper: (message) => (isVictim(message) ? flipBlockBit(message) : undefined),
    });
    await expectNoImage(outcome);
    expect(outcome.transport.messages("data")).toBe(2 * BLOCKS);
  });

  it("ends the same way in the manifest alone", async () => {
    const outcome = await download({
      tamper: ({ operation, payload, ...message }) => {
        if (operation === "checksums") return new Uint8Array();
        return isVictim({ operation, payload, ...message })
          ? flipBlockBit({ operation, payload, ...message })
          : undefined;
      },
      maxFruitlessRounds: 1,
      clock: systemClock,
    });
    expect(outcome.error).toMatchObject({ name: "OtaError", code: "NoProgress", retryable: true });
    await expect(access(directory.in("out", "firmware", "0"))).rejects.toThrow("ENOENT");
  });

  it("keeps an older image that is in place", async () => {
    const first = await download({});
    await expectVerified(first);
    const wrong = { ...digests, sha256: "0".repeat(64) };
    const outcome = await download({ broker: strict.urls.mqtt, digests: wrong });
    expect(outcome.error).toMatchObject({ code: "DigestMismatch" });
    expect((await readFile(directory.in("out", "firmware", "0"))).equals(image)).toBe(true);
  });

  it("leaves nothing that a later download would take for good", async () => {
    await expectNoImage(
      await download({ tamper: (message) => (isVictim(message) ? flipBlockBit(message) : undefined) }),
    );
    const outcome = await download({});
    await expectVerified(outcome);
    expect(await readdir(directory.in("out", "firmware"))).toEqual(["0"]);
  });
});
