/** A model of a client whose bitmap is four bytes long and slides over the file with o. No IO. */
import { createBitmap, setBit } from "../../../shared/protocol/bitmap.ts";
import { encodeCbor } from "../../../shared/protocol/cbor.ts";
import { WIRE_KEY } from "../../../shared/protocol/wire-keys.ts";
import {
  type BlockSizeOptions,
  type ClientModel,
  DEFAULT_BLOCK_SIZE_BYTES,
  STOCK_CLIENT_TOKEN,
} from "./client-model.ts";
import { FixedTimerClient } from "./fixed-timer-client.ts";

const WINDOW_BLOCKS = 32;

/**
 * Makes a client; its request is `{c: "rdy", f, l, o, b}` in CBOR, where o is the first missing block and b has the
 * missing ones of the 32 from there on (docs/PROTOCOL.md section 2, "WIRE details"). The strict profile refuses it where
 * one answer holds more blocks than the file has, for want of n.
 */
export function createSlidingBitmapClient(options: BlockSizeOptions = {}): ClientModel {
  const { blockSizeBytes = DEFAULT_BLOCK_SIZE_BYTES } = options;
  return new FixedTimerClient(
    {
      format: "cbor",
      blockSizeBytes,
      clientToken: STOCK_CLIENT_TOKEN,
      plan(missing) {
        const blockOffset = missing.first;
        const wanted = missing.within(blockOffset, WINDOW_BLOCKS);
        const bitmap = createBitmap(WINDOW_BLOCKS);
        for (const blockId of wanted) setBit(bitmap, blockId - blockOffset);
        const payload = encodeCbor({
          [WIRE_KEY.clientToken]: STOCK_CLIENT_TOKEN,
          [WIRE_KEY.fileId]: missing.file.fileId,
          [WIRE_KEY.length]: blockSizeBytes,
          [WIRE_KEY.blockOffset]: blockOffset,
          [WIRE_KEY.blockBitmap]: bitmap,
        });
        return { payload, awaitedBlocks: missing.countInOneAnswer(wanted) };
      },
    },
    options,
  );
}
