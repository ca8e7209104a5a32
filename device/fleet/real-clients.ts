/** The clients that a fleet can run as they are: the real agent, with its images on disk, and models of stock libraries. */
import { join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import type { Format } from "../../shared/protocol/topics.ts";
import type { Random } from "../../shared/random.ts";
import type { DeviceTransport } from "../../shared/transport.ts";
import { downloadStream } from "../agent.ts";
import { systemFileSystem } from "../file-system.ts";
import type { SessionOptions } from "../protocol/session-types.ts";
import type { ClientModel } from "./client-models/client-model.ts";
import { runClientModel } from "./client-models/run-client-model.ts";
import type { DownloadBooks } from "./download-books.ts";
import type { RunClient } from "./transport-device.ts";

/** What every client of a fleet needs. */
interface ClientParts {
  readonly session: SessionOptions;
  readonly clock: Clock;
  readonly log: Log;
}

/** Runs the agent; its images become `<directory>/<thing>/<streamId>/<fileId>`, and stay. */
export function realAgent(
  parts: ClientParts & { readonly format: Format; readonly random: Random; readonly directory: string },
): RunClient {
  const { session, ...others } = parts;
  return async ({ transport, thing, signal, books, stats }) => {
    const { files } = await downloadStream({
      ...session,
      ...others,
      transport,
      thing,
      signal,
      directory: join(parts.directory, thing),
      fileSystem: systemFileSystem,
      onProgress: (progress) => books.follow(progress),
    });
    stats.files = files.length;
    stats.filesWithoutDigest = files.filter(({ verified }) => verified === "size").length;
  };
}

/** Runs a model, a fresh one after each reboot: stock libraries keep nothing. */
export function stockClient({ session, clock, log }: ClientParts, createModel: () => ClientModel): RunClient {
  return async ({ transport, thing, signal, books, stats }) => {
    const model = createModel();
    const watched = watchModel(transport, model, books);
    const { streamId } = session;
    const { files } = await runClientModel({ model, transport: watched, thing, streamId, clock, log, signal });
    stats.files = files.size;
  };
}

/** The transport, with each message followed by a look at what the model made of it. */
function watchModel(transport: DeviceTransport, model: ClientModel, books: DownloadBooks): DeviceTransport {
  return {
    connect: (topicFilters, handlers) =>
      transport.connect(topicFilters, {
        connected: () => handlers.connected(),
        disconnected: (reason) => handlers.disconnected(reason),
        messageArrived(topic, payload) {
          const { blocks } = model.counts;
          handlers.messageArrived(topic, payload);
          if (model.counts.blocks > blocks) books.keep(books.lastBlockBytes);
          const { requests, duplicates, timeouts, foreign } = model.counts;
          books.count({ requests, duplicates, timeouts, impossible: foreign });
        },
      }),
    subscribe: (topicFilter) => transport.subscribe(topicFilter),
    publish: (topic, payload) => transport.publish(topic, payload),
    close: () => transport.close(),
  };
}
