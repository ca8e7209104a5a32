/** How a download session finds out that blocks were lost, and asks for those and no others again. */
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, blocksOf, range, SessionDriver } from "../support/session-driver.ts";
import { downloadOverLink } from "../support/session-link.ts";

describe("a later answer that overtakes an earlier one", () => {
  it("leads to a repair at once, without the timer, with the third block that came later", () => {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 100 * BLOCK_BYTES }] });
    const [first] = driver.start();
    for (const blockId of [0, 1, 3, 4]) {
      for (const request of driver.arrive(blockId, first)) expect(blocksOf(request)).not.toContain(2);
    }
    const repairs = driver.arrive(5, first);
    expect(repairs.flatMap(blocksOf)).toContain(2);
    expect(driver.session.progress()).toMatchObject({ timeouts: 0 });
  });

  it("counts across requests: the last block of one is repaired by the next one's answers", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    const further = range(0, 15).flatMap((blockId) => driver.arrive(blockId, first));
    const [next] = further;
    const [one = -1, two = -1, three = -1] = blocksOf(next as NonNullable<typeof next>);
    expect(driver.arrive(one, next).flatMap(blocksOf)).not.toContain(15);
    expect(driver.arrive(two, next).flatMap(blocksOf)).not.toContain(15);
    expect(driver.arrive(three, next).flatMap(blocksOf)).toContain(15);
  });

  it("leads to one repair, not to one with each block that follows", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.deliver([first as NonNullable<typeof first>], new Set([2]));
    const asked = driver.gets.flatMap(blocksOf).filter((blockId) => blockId === 2);
    expect(asked.length).toBeGreaterThanOrEqual(2);
    // Nothing but the last of its repairs is on its way.
    expect(asked.length).toBeLessThanOrEqual(10);
  });

  it("is not seen in blocks that come out of order by two", () => {
    const driver = new SessionDriver();
    const [first] = driver.start(range(16, 40));
    for (const blockId of [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 15]) driver.arrive(blockId, first);
    expect(driver.gets).toHaveLength(1);
    expect(driver.kinds().at(-1)).toBe("verifyFile");
  });

  it("is not seen when the answers to a request that was given up come late", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.reject("InternalError", first);
    const again = driver.timeOut();
    expect(again.filter((command) => command.do === "publishGet")).toHaveLength(1);
    for (const blockId of [8, 9, 10, 11]) driver.arrive(blockId, first);
    const twice = driver.gets.slice(2).flatMap(blocksOf);
    expect(twice.filter((blockId) => blockId < 16)).toEqual([]);
  });
});

describe("the answer to a probe", () => {
  it("shows with its first block that everything asked for before it is lost", () => {
    const driver = new SessionDriver();
    driver.start();
    driver.timeOut();
    const [, probe] = driver.gets;
    expect(blocksOf(probe as NonNullable<typeof probe>)).toEqual([0, 1]);
    const repairs = driver.arrive(0, probe);
    expect(repairs.flatMap(blocksOf)).toEqual(expect.arrayContaining(range(2, 16)));
    expect(repairs.flatMap(blocksOf)).not.toContain(1);
  });

  it("is all that comes twice when the answers were only late", () => {
    const driver = new SessionDriver();
    const [first] = driver.start();
    driver.timeOut();
    driver.deliver([first as NonNullable<typeof first>]);
    expect(driver.gets.flatMap(blocksOf).filter((blockId) => blockId < 2)).toEqual([0, 1, 0, 1]);
    expect(driver.gets.flatMap(blocksOf)).toHaveLength(42);
  });

  it.each([
    [1024, 2],
    [65_536, 2],
    [65_537, 1],
    [131_072, 1],
  ])("is, with blocks of %i bytes, one to %i blocks and never more than one answer", (blockSizeBytes, blocks) => {
    const driver = new SessionDriver({ blockSizeBytes, files: [{ fileId: 0, sizeBytes: 8 * blockSizeBytes }] });
    driver.start();
    driver.timeOut();
    expect(blocksOf(driver.gets.at(-1) as NonNullable<(typeof driver.gets)[0]>)).toHaveLength(blocks);
    for (const request of driver.gets) expect(blocksOf(request).length * blockSizeBytes).toBeLessThanOrEqual(131_072);
  });
});

describe("a silence", () => {
  /** How many blocks are asked for once the answer to a probe came, after some timeouts, and how many were before. */
  function askedAfter(timeouts: number): { readonly before: number; readonly after: number } {
    const driver = new SessionDriver({ files: [{ fileId: 0, sizeBytes: 1000 * BLOCK_BYTES }] });
    const waiting = driver.start();
    for (let block = 0; block < 112; ) {
      const request = waiting.shift() as NonNullable<(typeof waiting)[0]>;
      driver.nowMs += 50;
      for (const blockId of blocksOf(request)) {
        driver.nowMs += 1;
        waiting.push(...driver.arrive(blockId, request));
        block++;
      }
    }
    const before = driver.gets.flatMap(blocksOf).length - 112;
    for (let count = 0; count < timeouts; count++) driver.timeOut();
    const probe = driver.gets.at(-1) as NonNullable<(typeof waiting)[0]>;
    const [first = -1] = blocksOf(probe);
    driver.nowMs += 50;
    return { before, after: driver.arrive(first, probe).flatMap(blocksOf).length };
  }

  it("leaves the window as it was when it is short, and makes it start over when it lasts", () => {
    const [short, long] = [askedAfter(1), askedAfter(2)];
    // What is still asked for leaves room for as much as was given up; in half a window it would leave none.
    expect(short.after).toBeGreaterThan(0.2 * short.before);
    expect(long.after).toBeGreaterThan(0.4 * long.before);
    expect(long.after).toBeLessThan(0.6 * long.before);
  });
});

describe("a link that loses every n-th message", () => {
  it.each([2, 3, 5, 10, 50])("is downloaded over with no more than what was lost sent again: n = %i", (every) => {
    const options = { files: [{ fileId: 0, sizeBytes: 512 * BLOCK_BYTES }] };
    const outcome = downloadOverLink(options, {
      bytesPerMs: 100,
      roundTripMs: 50,
      isLost: (message) => message % every === every - 1,
    });
    expect(outcome.sentBlocks / 512).toBeLessThanOrEqual((1.05 * every) / (every - 1));
    expect(outcome.duplicates).toBeLessThanOrEqual(4);
  });

  it("is downloaded over when nothing arrives for a long while", () => {
    const options = { files: [{ fileId: 0, sizeBytes: 512 * BLOCK_BYTES }] };
    const outcome = downloadOverLink(options, {
      bytesPerMs: 100,
      roundTripMs: 50,
      isLost: (_, atMs) => atMs >= 1000 && atMs < 4000,
    });
    expect(outcome.sentBlocks).toBeLessThanOrEqual(512 + 128);
    expect(outcome.timeouts).toBeGreaterThan(0);
  });
});
