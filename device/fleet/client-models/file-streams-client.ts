/** A model of the file-streams library: one block a request, in CBOR with a bitmap that means nothing, or in JSON. No IO. */
import { encodeCbor } from "../../../shared/protocol/cbor.ts";
import { encodeJson } from "../../../shared/protocol/json.ts";
import type { Format } from "../../../shared/protocol/topics.ts";
import { WIRE_KEY } from "../../../shared/protocol/wire-keys.ts";
import {
  type BlockSizeOptions,
  type ClientModel,
  DEFAULT_BLOCK_SIZE_BYTES,
  STOCK_CLIENT_TOKEN,
} from "./client-model.ts";
import { FixedTimerClient } from "./fixed-timer-client.ts";
import type { MissingBlocks } from "./missing-blocks.ts";

/** The base64 of "1", sent as the four bytes it is written with. Its first bit is set: with n = 1 it selects block o. */
const DUMMY_BITMAP = new TextEncoder().encode("MQ==");
/** The version that the library puts into JSON requests, whatever the stream's is. */
const HARD_CODED_STREAM_VERSION = 1;

const ENCODERS: Readonly<Record<Format, (missing: MissingBlocks) => Uint8Array>> = {
  cbor: ({ file, blockSizeBytes, first }) =>
    encodeCbor({
      [WIRE_KEY.clientToken]: STOCK_CLIENT_TOKEN,
      [WIRE_KEY.fileId]: file.fileId,
      [WIRE_KEY.length]: blockSizeBytes,
      [WIRE_KEY.blockOffset]: first,
      [WIRE_KEY.blockBitmap]: DUMMY_BITMAP,
      [WIRE_KEY.blockCount]: 1,
    }),
  json: ({ file, blockSizeBytes, first }) =>
    encodeJson({
      [WIRE_KEY.streamVersion]: HARD_CODED_STREAM_VERSION,
      [WIRE_KEY.fileId]: file.fileId,
      [WIRE_KEY.length]: blockSizeBytes,
      [WIRE_KEY.blockOffset]: first,
      [WIRE_KEY.blockCount]: 1,
    }),
};

/**
 * Makes a client of the library; o is the block's id. Its requests are `{c: "rdy", f, l, o, b: "MQ==", n: 1}` in CBOR
 * and `{"s":1,"f","l","o","n":1}` in JSON, which only a stream of version 1 answers (docs/PROTOCOL.md section 2, "WIRE
 * details").
 */
export function createFileStreamsClient(options: BlockSizeOptions & { readonly format: Format }): ClientModel {
  const { format, blockSizeBytes = DEFAULT_BLOCK_SIZE_BYTES } = options;
  return new FixedTimerClient(
    {
      format,
      blockSizeBytes,
      ...(format === "cbor" && { clientToken: STOCK_CLIENT_TOKEN }),
      plan: (missing) => ({ payload: ENCODERS[format](missing), awaitedBlocks: 1 }),
    },
    options,
  );
}
