/** The embedded S3 server under SIGKILL: an acknowledged object is still there afterwards. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startEmbeddedS3 } from "../../publisher/object-store/embedded-s3.ts";
import { createS3ObjectStore } from "../../publisher/object-store/s3-object-store.ts";
import { uploadFiles } from "../../publisher/object-store/uploader.ts";
import { someBytes } from "../contract/object-store.ts";

const MODULE = new URL("../../publisher/object-store/embedded-s3.ts", import.meta.url).href;

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "otastream-crash-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** Runs the server in a process of its own. */
async function startChild(): Promise<{ endpoint: string; kill(): Promise<void> }> {
  const script = `
    const { startEmbeddedS3 } = await import(${JSON.stringify(MODULE)});
    const options = { dataDir: ${JSON.stringify(dataDir)}, host: "127.0.0.1", port: 0 };
    console.log((await startEmbeddedS3(options)).endpoint);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const [endpoint] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    endpoint,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

it("keeps every object it acknowledged, over several kills", async () => {
  const sizes = [1, 100_000, 9_000_000];
  for (const sizeBytes of sizes) {
    const child = await startChild();
    const files = [{ key: `image-${sizeBytes}`, bytes: someBytes(sizeBytes) }];
    await uploadFiles({ endpoint: child.endpoint, region: "us-east-1", bucket: "images", files });
    await child.kill();
  }
  const server = await startEmbeddedS3({ dataDir, host: "127.0.0.1", port: 0 });
  const store = createS3ObjectStore({ endpoint: server.endpoint, region: "us-east-1" });
  try {
    for (const sizeBytes of sizes) {
      const content = await store.read({ bucket: "images", key: `image-${sizeBytes}` }, { maxBytes: 10_000_000 });
      expect(Buffer.compare(content.bytes, someBytes(sizeBytes))).toBe(0);
    }
  } finally {
    await store.close();
    await server.close();
  }
});
