/** The requests of the client models, byte for byte, each spelled by hand from docs/PROTOCOL.md section 2. */
import { describe, expect, it } from "vitest";
import type { ClientModel, ClientModelCommand } from "../../device/fleet/client-models/client-model.ts";
import { createFileStreamsClient } from "../../device/fleet/client-models/file-streams-client.ts";
import { createOtaAgentClient } from "../../device/fleet/client-models/ota-agent-client.ts";
import { createSlidingBitmapClient } from "../../device/fleet/client-models/sliding-bitmap-client.ts";
import { createBitmapOnlyClient, createOffsetOnlyClient } from "../../device/fleet/client-models/uncounted-clients.ts";
import { hex, utf8 } from "./vector.ts";

const STOCK = "section 2, WIRE details: stock clients";
const MESSAGES = "section 2, message table: b selects, n caps; with neither, n = floor(131072 / l)";

/** {c:"rdy", f:3, l:4096 ...: text "c" is 61 63, "rdy" 63 72 64 79, text "f" 61 66, "l" 61 6c, 4096 is 19 10 00. */
const OPENING = "61 63 63 72 64 79  61 66 03  61 6c 19 10 00";
/** File 3 has 28 blocks of 4096 bytes, the last of 100: a bitmap of 28 ones is ff ff ff 0f. */
const FILES = [{ fileId: 3, sizeBytes: 27 * 4096 + 100 }];
/** 70 blocks of 4096 bytes: what slides has somewhere to go. */
const LONG_FILES = [{ fileId: 3, sizeBytes: 70 * 4096 }];

interface RequestCase {
  readonly name: string;
  readonly source: string;
  readonly model: () => ClientModel;
  /** Full blocks that arrived before the timer fired. */
  readonly arrived: readonly number[];
  /** Absent: 4096. */
  readonly blockSizeBytes?: number;
  readonly bytes: Uint8Array;
}

const upTo = (end: number, from = 0): number[] => Array.from({ length: end - from }, (_, index) => from + index);

const CASES: readonly RequestCase[] = [
  {
    name: "the OTA agent at the start: a map of six, o 0, all 28 bits, n 1",
    source: STOCK,
    model: () => createOtaAgentClient({ files: FILES }),
    arrived: [],
    bytes: hex(`a6 ${OPENING}  61 6f 00  61 62 44 ff ff ff 0f  61 6e 01`),
  },
  {
    name: "the OTA agent without blocks 0, 1, 9 and 26: fc, fd, ff, 0b; n 128 is 18 80",
    source: STOCK,
    model: () => createOtaAgentClient({ files: FILES, blocksPerRequest: 128 }),
    arrived: [0, 1, 9, 26],
    bytes: hex(`a6 ${OPENING}  61 6f 00  61 62 44 fc fd ff 0b  61 6e 18 80`),
  },
  {
    // 110,692 bytes are 433 blocks of 256, the last of 100 bytes: 54 bytes of ones and one bit, 55 in all (58 37).
    name: "the OTA agent with blocks of 2^8: l is 19 01 00",
    source: STOCK,
    model: () => createOtaAgentClient({ files: FILES, log2BlockSizeBytes: 8, blocksPerRequest: 16 }),
    arrived: [],
    bytes: hex(
      `a6  61 63 63 72 64 79  61 66 03  61 6c 19 01 00  61 6f 00  61 62 58 37 ${"ff".repeat(54)} 01  61 6e 10`,
    ),
  },
  {
    // 2^17 is 1a 00 02 00 00; one block holds the file, so b is the one byte 01.
    name: "the OTA agent with blocks of 2^17: l takes four bytes",
    source: STOCK,
    model: () => createOtaAgentClient({ files: FILES, log2BlockSizeBytes: 17 }),
    arrived: [],
    bytes: hex("a6  61 63 63 72 64 79  61 66 03  61 6c 1a 00 02 00 00  61 6f 00  61 62 41 01  61 6e 01"),
  },
  {
    name: "the file-streams library in CBOR at the start: b is the ASCII bytes 4d 51 3d 3d",
    source: STOCK,
    model: () => createFileStreamsClient({ files: FILES, format: "cbor" }),
    arrived: [],
    bytes: hex(`a6 ${OPENING}  61 6f 00  61 62 44 4d 51 3d 3d  61 6e 01`),
  },
  {
    name: "the file-streams library in CBOR for block 24: o is 18 18",
    source: STOCK,
    model: () => createFileStreamsClient({ files: FILES, format: "cbor" }),
    arrived: upTo(24),
    bytes: hex(`a6 ${OPENING}  61 6f 18 18  61 62 44 4d 51 3d 3d  61 6e 01`),
  },
  {
    name: "the file-streams library in JSON at the start: no blanks, no token",
    source: STOCK,
    model: () => createFileStreamsClient({ files: FILES, format: "json" }),
    arrived: [],
    bytes: utf8('{"s":1,"f":3,"l":4096,"o":0,"n":1}'),
  },
  {
    name: "the file-streams library in JSON for block 2, with blocks of 1000 bytes",
    source: STOCK,
    model: () => createFileStreamsClient({ files: FILES, format: "json", blockSizeBytes: 1000 }),
    arrived: [0, 1],
    blockSizeBytes: 1000,
    bytes: utf8('{"s":1,"f":3,"l":1000,"o":2,"n":1}'),
  },
  {
    name: "four sliding bytes at the start: 32 ones, a map of five",
    source: STOCK,
    model: () => createSlidingBitmapClient({ files: LONG_FILES }),
    arrived: [],
    bytes: hex(`a5 ${OPENING}  61 6f 00  61 62 44 ff ff ff ff`),
  },
  {
    // o is the first missing block, 33 (18 21); of 33-64 only 40 arrived: bit 7 of the first byte, 7f.
    name: "four sliding bytes after blocks 0-32 and 40",
    source: STOCK,
    model: () => createSlidingBitmapClient({ files: LONG_FILES }),
    arrived: [...upTo(33), 40],
    bytes: hex(`a5 ${OPENING}  61 6f 18 21  61 62 44 7f ff ff ff`),
  },
  {
    // o is 64 (18 40), and the file ends with block 69: six bits, 3f.
    name: "four sliding bytes at the end: no bit past the last block",
    source: STOCK,
    model: () => createSlidingBitmapClient({ files: LONG_FILES }),
    arrived: upTo(64),
    bytes: hex(`a5 ${OPENING}  61 6f 18 40  61 62 44 3f 00 00 00`),
  },
  {
    name: "b and no n without block 8: a map of five",
    source: MESSAGES,
    model: () => createBitmapOnlyClient({ files: FILES }),
    arrived: [8],
    bytes: hex(`a5 ${OPENING}  61 6f 00  61 62 44 ff fe ff 0f`),
  },
  {
    name: "neither b nor n after blocks 0-31 and 33: a map of four, o is 32 (18 20)",
    source: MESSAGES,
    model: () => createOffsetOnlyClient({ files: LONG_FILES }),
    arrived: [...upTo(32), 33],
    bytes: hex(`a4 ${OPENING}  61 6f 18 20`),
  },
];

describe.each(CASES)("$name", ({ model: make, arrived, blockSizeBytes = 4096, bytes }) => {
  it("is these bytes", () => {
    const model = make();
    model.handle({ on: "connected" }, 0);
    for (const blockId of arrived) {
      model.handle({ on: "blockArrived", fileId: 3, blockId, sizeBytes: blockSizeBytes }, 0);
    }
    expect(model.counts.blocks).toBe(arrived.length);
    expect(requestsOf(model.handle({ on: "timeout" }, 10_000))).toEqual([Buffer.from(bytes).toString("hex")]);
  });
});

it.each([
  ["cbor", createOtaAgentClient(), hex("a1 61 63 63 72 64 79")],
  ["json", createFileStreamsClient({ format: "json" }), utf8("{}")],
] as const)("a describe in %s carries the library's token and nothing else", (format, model, payload) => {
  const [command] = model.handle({ on: "connected" }, 0);
  expect(model.format).toBe(format);
  expect(command).toEqual({ do: "publishDescribe", payload: expect.anything() });
  expect(command?.do === "publishDescribe" && Buffer.from(command.payload).equals(payload)).toBe(true);
});

function requestsOf(commands: readonly ClientModelCommand[]): string[] {
  return commands.flatMap((command) =>
    command.do === "publishGet" ? [Buffer.from(command.payload).toString("hex")] : [],
  );
}
