/**
 * A process that receives an image into a store and kills itself on the way: prints `open <kind> <held blocks>`, then each
 * block's id once it is written, then `done`. Arguments: directory, seed, size in bytes, block size in bytes, and after how
 * many blocks to send itself SIGKILL, or `hold` to do nothing once open.
 */
import { writeSync } from "node:fs";
import { systemFileSystem } from "../../device/file-system.ts";
import { hasBit } from "../../shared/protocol/bitmap.ts";
import { blockOf, makeImage, openStore, receivedIds } from "./image-fixture.ts";

const [directory = "", seed, sizeBytes, blockSizeBytes, killAfter] = process.argv.slice(2);
const image = makeImage({
  seed: Number(seed),
  sizeBytes: Number(sizeBytes),
  blockSizeBytes: Number(blockSizeBytes),
});
const store = await openStore(image, systemFileSystem, { directory });
say(`open ${store.recovery.kind} ${receivedIds(store).length}`);
if (killAfter === "hold") process.stdin.resume();
else await receive();

async function receive(): Promise<void> {
  let written = 0;
  for (let blockId = 0; blockId < store.blockCount; blockId++) {
    if (hasBit(store.receivedBlocks, blockId)) continue;
    const caughtUp = store.write(blockId, blockOf(image, blockId));
    say(String(blockId));
    if (++written === Number(killAfter)) process.kill(process.pid, "SIGKILL");
    await caughtUp;
  }
  if (!store.complete) {
    const verification = await store.verify(image.identity);
    if (!verification.ok) throw new Error(verification.message);
  }
  await store.commit();
  say("done");
}

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
