/** A child process that creates streams in a registry file as fast as it can and prints each id once it is acknowledged. */
import { openSqliteRegistry } from "../../publisher/registry/sqlite-registry.ts";
import { liveEntry } from "./control-stream-entry.ts";

const registry = openSqliteRegistry(process.argv[2] as string);
const prefix = process.argv[3] as string;
for (let count = 0; ; count += 1) {
  const streamId = `${prefix}-${count}`;
  await registry.change(streamId, () => liveEntry(streamId));
  // Waiting for the pipe: what the reader has seen was acknowledged before it was written.
  await new Promise((resolve) => process.stdout.write(`${streamId}\n`, resolve));
}
