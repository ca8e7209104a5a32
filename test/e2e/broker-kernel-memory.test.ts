/** What a device that reads nothing may cost the kernel, with real sockets and the kernel's own books. */
import { describe, expect, it } from "vitest";
import { type KernelQueues, openKernelQueues } from "../../broker/kernel-queues.ts";
import type { BlockRun } from "../../shared/transport.ts";
import { makeFile, makeRun, payloadsOf, RawClient, startTestBroker, TestPublisher } from "../support/broker.ts";
import { createControlClock } from "../support/control-clock.ts";

const STALL_TIMEOUT_MS = 20_000;
/** The second one is more than the kernel keeps for one connection at both of its ends. */
const FILES = { slow: 1_000_000, frozen: 12_000_000 };

describe("a device that reads nothing while sockets take much memory", () => {
  it.runIf(process.platform === "linux")(
    "has little in the kernel, is sent the rest when it reads, or evicted",
    async () => {
      const clock = createControlClock(0);
      const kernel = { ...(openKernelQueues() as KernelQueues), worthALookBytes: -1, noRoomBytes: -1 };
      const broker = await startTestBroker({ clock, stallTimeoutMs: STALL_TIMEOUT_MS, kernel });
      const publisher = await TestPublisher.start(broker.transport);
      // The first look is taken after 4 MiB.
      const reader = await RawClient.connect(broker.mqttPort, "reader");
      await reader.subscribe("$aws/things/reader/streams/#");
      const first = makeRun("reader", { fileBytes: makeFile(5_000_000) });
      publisher.send("reader", first);
      for (let index = 0; index < first.blockIds.length; index++) {
        while (reader.packets.length === 0) {
          clock.advance(5);
          await reader.ping();
        }
        await reader.next("publish");
      }

      const runs = await Promise.all(
        Object.entries(FILES).map(async ([thing, fileBytes]) => {
          const client = await RawClient.connect(broker.mqttPort, thing);
          await client.subscribe(`$aws/things/${thing}/streams/#`);
          client.socket.pause();
          const run = makeRun(thing, { fileBytes: makeFile(fileBytes) });
          const before = publisher.taken.length;
          publisher.send(thing, run);
          for (let round = 0; round < 50; round++) await reader.ping();
          return { client, run, before };
        }),
      );
      const blocks = publisher.taken.slice(runs[0]?.before).reduce<number>((sum, taken) => sum + (taken ?? 0), 0);
      expect(blocks * 4096).toBeLessThan(2 * (128 + 72) * 1024);
      runs[0]?.client.socket.resume();
      for (const payload of payloadsOf(runs[0]?.run as BlockRun)) {
        while (runs[0]?.client.packets.length === 0) {
          clock.advance(250);
          await reader.ping();
        }
        expect(payload.equals((await runs[0]?.client.next("publish"))?.payload as Buffer)).toBe(true);
      }
      // What the peer's kernel takes counts as taken: it is full after a while.
      while (broker.log.lines.length === 0) {
        clock.advance(250);
        await reader.ping();
      }
      const { fields } = await broker.log.waitFor("client evicted");
      expect(fields).toMatchObject({ clientId: "frozen" });
      await publisher.settled("frozen");
      expect(broker.log.lines).toHaveLength(1);
      await broker.close();
    },
  );
});
