/** The clients that a fleet's devices can be, by name: this project's own, and models of stock libraries. No IO. */
import type { ClientModel } from "./client-models/client-model.ts";
import { createFileStreamsClient } from "./client-models/file-streams-client.ts";
import { createOtaAgentClient } from "./client-models/ota-agent-client.ts";
import { createSlidingBitmapClient } from "./client-models/sliding-bitmap-client.ts";
import { createBitmapOnlyClient, createOffsetOnlyClient } from "./client-models/uncounted-clients.ts";

/** How a client is made. */
export interface FleetClient {
  readonly name: string;
  /** Makes a model of a stock library for blocks of this many bytes; absent: the session of this project's own agent. */
  readonly createModel?: (blockSizeBytes: number) => ClientModel;
}

/** The clients by name. */
export const FLEET_CLIENTS = {
  otastream: { name: "otastream" },
  "ota-v3.4": {
    name: "ota-v3.4",
    createModel: (blockSizeBytes) =>
      createOtaAgentClient({ log2BlockSizeBytes: Math.floor(Math.log2(blockSizeBytes)) }),
  },
  "ota-v3.4-n32": {
    name: "ota-v3.4-n32",
    createModel: (blockSizeBytes) =>
      createOtaAgentClient({ log2BlockSizeBytes: Math.floor(Math.log2(blockSizeBytes)), blocksPerRequest: 32 }),
  },
  "file-streams-cbor": {
    name: "file-streams-cbor",
    createModel: (blockSizeBytes) => createFileStreamsClient({ format: "cbor", blockSizeBytes }),
  },
  "file-streams-json": {
    name: "file-streams-json",
    createModel: (blockSizeBytes) => createFileStreamsClient({ format: "json", blockSizeBytes }),
  },
  "sliding-bitmap": {
    name: "sliding-bitmap",
    createModel: (blockSizeBytes) => createSlidingBitmapClient({ blockSizeBytes }),
  },
  "bitmap-only": {
    name: "bitmap-only",
    createModel: (blockSizeBytes) => createBitmapOnlyClient({ blockSizeBytes }),
  },
  "offset-only": {
    name: "offset-only",
    createModel: (blockSizeBytes) => createOffsetOnlyClient({ blockSizeBytes }),
  },
} as const satisfies Readonly<Record<string, FleetClient>>;
