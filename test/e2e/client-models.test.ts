/** Every client model downloads a stream of three files from the whole server, byte for byte. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClientModel } from "../../device/fleet/client-models/client-model.ts";
import { createFileStreamsClient } from "../../device/fleet/client-models/file-streams-client.ts";
import { createOtaAgentClient } from "../../device/fleet/client-models/ota-agent-client.ts";
import { type ClientModelResult, runClientModel } from "../../device/fleet/client-models/run-client-model.ts";
import { createSlidingBitmapClient } from "../../device/fleet/client-models/sliding-bitmap-client.ts";
import { createBitmapOnlyClient, createOffsetOnlyClient } from "../../device/fleet/client-models/uncounted-clients.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLog } from "../../shared/log.ts";
import { createDeviceTransport } from "../../shared/mqtt-connection.ts";
import { makeFile } from "../support/broker.ts";
import { type RunningServer, startRunningServer } from "../support/running-server.ts";

const SIZES = [1, 131_073, 300_001];
const originals = SIZES.map(makeFile);
const files = SIZES.map((sizeBytes, fileId) => ({ fileId, sizeBytes }));
const STREAM_ID = "three-files";
/** With 4096-byte blocks: 1, 33 and 74 blocks. */
const BLOCKS = 108;

interface ModelCase {
  readonly name: string;
  readonly make: () => ClientModel;
  readonly requests: number;
  readonly blocks: number;
}

const CBOR_CASES: readonly ModelCase[] = [
  { name: "ota-agent-n1", make: () => createOtaAgentClient({ files }), requests: 108, blocks: BLOCKS },
  {
    // 1, then 32 + 1, then 32 + 32 + 10.
    name: "ota-agent-n32",
    make: () => createOtaAgentClient({ files, blocksPerRequest: 32 }),
    requests: 6,
    blocks: BLOCKS,
  },
  {
    // 1; 129 blocks of 1024; 293: 128 a request.
    name: "ota-agent-n128",
    make: () => createOtaAgentClient({ files, log2BlockSizeBytes: 10, blocksPerRequest: 128 }),
    requests: 6,
    blocks: 423,
  },
  {
    name: "file-streams-cbor",
    make: () => createFileStreamsClient({ files, format: "cbor" }),
    requests: 108,
    blocks: BLOCKS,
  },
  { name: "sliding-bitmap", make: () => createSlidingBitmapClient({ files }), requests: 6, blocks: BLOCKS },
  { name: "bitmap-only", make: () => createBitmapOnlyClient({ files }), requests: 6, blocks: BLOCKS },
  { name: "offset-only", make: () => createOffsetOnlyClient({ files }), requests: 6, blocks: BLOCKS },
];

const JSON_CASE: ModelCase = {
  name: "file-streams-json",
  make: () => createFileStreamsClient({ files, format: "json" }),
  requests: 108,
  blocks: BLOCKS,
};

async function download(url: string, thing: string, model: ClientModel): Promise<ClientModelResult> {
  const transport = createDeviceTransport({ url, clientId: thing, log: silentLog });
  return await runClientModel({ model, transport, thing, streamId: STREAM_ID, clock: systemClock, log: silentLog });
}

function expectOriginals(result: ClientModelResult): void {
  expect([...result.files.keys()]).toEqual([0, 1, 2]);
  originals.forEach((original, fileId) => {
    expect(Buffer.compare(result.files.get(fileId) ?? new Uint8Array(0), original), `file ${fileId}`).toBe(0);
  });
}

describe("from the server as it comes", () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startRunningServer();
    await server.publish(STREAM_ID, originals);
  });
  afterAll(() => server.close());

  it.each(CBOR_CASES)(
    "$name downloads over TCP with the requests it needs",
    async ({ name, make, requests, blocks }) => {
      const result = await download(server.urls.mqtt, name, make());
      expectOriginals(result);
      expect(result.counts).toEqual({ requests, timeouts: 0, blocks, duplicates: 0, foreign: 0 });
    },
  );

  it.each([
    { name: "ota-agent", make: () => createOtaAgentClient({ blocksPerRequest: 32 }) },
    { name: "offset-only", make: () => createOffsetOnlyClient({ blockSizeBytes: 1000 }) },
  ])("$name downloads over WebSocket, with the CRC-32 of the description checked", async ({ name, make }) => {
    expectOriginals(await download(server.urls.ws ?? "", `${name}-ws`, make()));
  });

  it.each([256, 1000, 65_535, 131_072])("clients without n download in blocks of %i bytes", async (blockSizeBytes) => {
    const models = [
      createSlidingBitmapClient({ files, blockSizeBytes }),
      createBitmapOnlyClient({ files, blockSizeBytes }),
      createOffsetOnlyClient({ files, blockSizeBytes }),
    ];
    const results = await Promise.all(
      models.map((model, index) => download(server.urls.mqtt, `n-less-${blockSizeBytes}-${index}`, model)),
    );
    for (const result of results) {
      expectOriginals(result);
      expect(result.counts).toMatchObject({ timeouts: 0, foreign: 0 });
    }
  });

  it("all of them download at the same time, over TCP and WebSocket", async () => {
    const { mqtt, ws = "" } = server.urls;
    const runs = CBOR_CASES.flatMap(({ name, make }) => [
      download(mqtt, `${name}-together`, make()),
      download(ws, `${name}-together-ws`, make()),
    ]);
    for (const result of await Promise.all(runs)) expectOriginals(result);
  });

  it("the library that always sends version 1 is told which option it needs", async () => {
    const failed = download(server.urls.mqtt, "impatient", createFileStreamsClient({ format: "json" }));
    await expect(failed).rejects.toMatchObject({
      code: "RequestRejected",
      message: expect.stringMatching(/GetStream with VersionMismatch: .*--first-stream-version 1/),
    });
  });
});

describe("from a server whose first stream version is 1", () => {
  let server: RunningServer;
  beforeAll(async () => {
    const control = { region: "us-east-1", accountId: "123456789012", firstStreamVersion: 1 as const };
    server = await startRunningServer({ control });
    expect(await server.publish(STREAM_ID, originals)).toMatchObject({ streamVersion: 1 });
  });
  afterAll(() => server.close());

  it.each([JSON_CASE, ...CBOR_CASES])("$name downloads over TCP", async ({ name, make, requests, blocks }) => {
    const result = await download(server.urls.mqtt, name, make());
    expectOriginals(result);
    expect(result.counts).toEqual({ requests, timeouts: 0, blocks, duplicates: 0, foreign: 0 });
  });

  it("the JSON library downloads over WebSocket in blocks of 131072 bytes", async () => {
    const model = createFileStreamsClient({ format: "json", blockSizeBytes: 131_072 });
    expectOriginals(await download(server.urls.ws ?? "", "json-ws", model));
  });
});

describe("from a server with the strict profile", () => {
  it("clients that send n download, and one without n is refused where the answer could hold more than the file", async () => {
    const server = await startRunningServer({ profile: "strict" });
    try {
      await server.publish(STREAM_ID, originals);
      expectOriginals(await download(server.urls.mqtt, "agent", createOtaAgentClient({ blocksPerRequest: 8 })));
      expectOriginals(await download(server.urls.mqtt, "library", createFileStreamsClient({ format: "cbor" })));
      expectOriginals(await download(server.urls.mqtt, "bare", createOffsetOnlyClient()));
      await expect(download(server.urls.mqtt, "no-n", createBitmapOnlyClient())).rejects.toMatchObject({
        code: "RequestRejected",
        message: expect.stringContaining("InvalidRequest"),
      });
    } finally {
      await server.close();
    }
  });
});

describe("from a server that takes files of 25165824 bytes", () => {
  it("the OTA agent downloads 98304 blocks of 256 bytes, each request with a bitmap of 12288 bytes", async () => {
    const control = { region: "us-east-1", accountId: "123456789012", maxFileBytes: 25_165_824 };
    const server = await startRunningServer({ control });
    try {
      const original = makeFile(25_165_824);
      await server.publish(STREAM_ID, [original]);
      const model = createOtaAgentClient({ log2BlockSizeBytes: 8, blocksPerRequest: 512 });
      const { files: downloaded, counts } = await download(server.urls.mqtt, "patient", model);
      expect(Buffer.compare(downloaded.get(0) ?? new Uint8Array(0), original)).toBe(0);
      expect(counts).toEqual({ requests: 192, timeouts: 0, blocks: 98_304, duplicates: 0, foreign: 0 });
    } finally {
      await server.close();
    }
  });
});
