/** Models of clients that leave n out and take as many blocks as one answer holds: with a bitmap, and without one. No IO. */
import { encodeCbor } from "../../../shared/protocol/cbor.ts";
import { MAX_RESPONSE_BYTES } from "../../../shared/protocol/limits.ts";
import { WIRE_KEY } from "../../../shared/protocol/wire-keys.ts";
import {
  type BlockSizeOptions,
  type ClientModel,
  DEFAULT_BLOCK_SIZE_BYTES,
  STOCK_CLIENT_TOKEN,
} from "./client-model.ts";
import { FixedTimerClient } from "./fixed-timer-client.ts";

/**
 * Makes a client that sends b and no n: `{c: "rdy", f, l, o: 0, b}` in CBOR, b the bitmap of all missing blocks
 * (docs/PROTOCOL.md section 2). The strict profile refuses it where one answer holds more blocks than the file has.
 */
export function createBitmapOnlyClient(options: BlockSizeOptions = {}): ClientModel {
  const { blockSizeBytes = DEFAULT_BLOCK_SIZE_BYTES } = options;
  return new FixedTimerClient(
    {
      format: "cbor",
      blockSizeBytes,
      clientToken: STOCK_CLIENT_TOKEN,
      plan(missing) {
        const payload = encodeCbor({
          [WIRE_KEY.clientToken]: STOCK_CLIENT_TOKEN,
          [WIRE_KEY.fileId]: missing.file.fileId,
          [WIRE_KEY.length]: blockSizeBytes,
          [WIRE_KEY.blockOffset]: 0,
          [WIRE_KEY.blockBitmap]: missing.bitmap(),
        });
        const next = missing.within(0, missing.blockCount);
        return { payload, awaitedBlocks: missing.countInOneAnswer(next) };
      },
    },
    options,
  );
}

/**
 * Makes a client that sends neither b nor n: `{c: "rdy", f, l, o}` in CBOR, o the first missing block; n is then
 * floor(131072 / l), blocks that are there already included (docs/PROTOCOL.md section 2).
 */
export function createOffsetOnlyClient(options: BlockSizeOptions = {}): ClientModel {
  const { blockSizeBytes = DEFAULT_BLOCK_SIZE_BYTES } = options;
  const impliedCount = Math.floor(MAX_RESPONSE_BYTES / blockSizeBytes);
  return new FixedTimerClient(
    {
      format: "cbor",
      blockSizeBytes,
      clientToken: STOCK_CLIENT_TOKEN,
      plan(missing) {
        const blockOffset = missing.first;
        const payload = encodeCbor({
          [WIRE_KEY.clientToken]: STOCK_CLIENT_TOKEN,
          [WIRE_KEY.fileId]: missing.file.fileId,
          [WIRE_KEY.length]: blockSizeBytes,
          [WIRE_KEY.blockOffset]: blockOffset,
        });
        return { payload, awaitedBlocks: missing.within(blockOffset, impliedCount).length };
      },
    },
    options,
  );
}
