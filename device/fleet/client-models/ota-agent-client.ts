/** A model of the OTA agent v3.4: CBOR, a bitmap of all missing blocks, and n to cap it. No IO. */
import { encodeCbor } from "../../../shared/protocol/cbor.ts";
import { WIRE_KEY } from "../../../shared/protocol/wire-keys.ts";
import { type ClientModel, type ClientModelOptions, STOCK_CLIENT_TOKEN } from "./client-model.ts";
import { FixedTimerClient } from "./fixed-timer-client.ts";

/** How the agent was compiled. */
export interface OtaAgentOptions extends ClientModelOptions {
  /** The block size as a power of two, 8-17; 12 by default, which is 4096 bytes. */
  readonly log2BlockSizeBytes?: number;
  /**
   * Blocks a request, 1-128; 1 by default. The agent counts on all of them: where they are more than one answer holds,
   * 131,072 bytes, every request but the last ends with the timer.
   */
  readonly blocksPerRequest?: number;
}

const DEFAULT_LOG2_BLOCK_SIZE_BYTES = 12;
const DEFAULT_BLOCKS_PER_REQUEST = 1;

/** Makes an agent; its request is `{c: "rdy", f, l, o: 0, b, n}` (docs/PROTOCOL.md section 2, "WIRE details"). */
export function createOtaAgentClient(options: OtaAgentOptions = {}): ClientModel {
  const blockSizeBytes = 2 ** (options.log2BlockSizeBytes ?? DEFAULT_LOG2_BLOCK_SIZE_BYTES);
  const blocksPerRequest = options.blocksPerRequest ?? DEFAULT_BLOCKS_PER_REQUEST;
  return new FixedTimerClient(
    {
      format: "cbor",
      blockSizeBytes,
      clientToken: STOCK_CLIENT_TOKEN,
      plan: (missing) => ({
        payload: encodeCbor({
          [WIRE_KEY.clientToken]: STOCK_CLIENT_TOKEN,
          [WIRE_KEY.fileId]: missing.file.fileId,
          [WIRE_KEY.length]: blockSizeBytes,
          [WIRE_KEY.blockOffset]: 0,
          [WIRE_KEY.blockBitmap]: missing.bitmap(),
          [WIRE_KEY.blockCount]: blocksPerRequest,
        }),
        awaitedBlocks: Math.min(blocksPerRequest, missing.count),
      }),
    },
    options,
  );
}
