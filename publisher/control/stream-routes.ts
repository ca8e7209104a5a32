/** The five stream operations of the control plane. */
import type { FileInput } from "../protocol/stream-input.ts";
import { parseCreateStream, parseListStreams, parseStreamId, parseUpdateStream } from "../protocol/stream-input.ts";
import {
  checkFileCount,
  checkStreamCount,
  planCreate,
  planDelete,
  planStreamVersion,
  planUpdate,
  planUpdateBase,
  requireLive,
} from "../protocol/stream-rules.ts";
import type { ControlContext, ControlRequest, ControlRoute } from "./control-context.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { resolveObjects } from "./object-resolver.ts";
import { viewChangedStream, viewStreamInfo, viewStreamSummary } from "./stream-view.ts";

/**
 * Gives the routes of CreateStream, DescribeStream, UpdateStream, DeleteStream and ListStreams (docs/PROTOCOL.md
 * section 1). Creates and updates of one stream run one after the other, so that what was resolved last is what stays.
 */
export function streamRoutes(context: ControlContext): readonly ControlRoute[] {
  const streamLocks = new KeyedLock();
  const quotaLock = new KeyedLock();
  return [
    {
      method: "POST",
      path: "/streams/:streamId",
      handle: (request) => createStream(context, streamLocks, quotaLock, request),
    },
    { method: "GET", path: "/streams/:streamId", handle: (request) => describeStream(context, request) },
    { method: "PUT", path: "/streams/:streamId", handle: (request) => updateStream(context, streamLocks, request) },
    { method: "DELETE", path: "/streams/:streamId", handle: (request) => deleteStream(context, request) },
    { method: "GET", path: "/streams", handle: (request) => listStreams(context, request) },
  ];
}

async function createStream(
  context: ControlContext,
  streamLocks: KeyedLock,
  quotaLock: KeyedLock,
  request: ControlRequest,
): Promise<object> {
  const { clock, digests, objectStore, registry, rules } = context;
  const input = parseCreateStream(request.params.streamId ?? "", request.body);
  checkFileCount(input.files.length, rules);
  return streamLocks.run(input.streamId, async () => {
    // What is cheap to refuse is refused before any object is read; the commit checks again.
    planStreamVersion(await registry.find(input.streamId), input.streamId, rules, clock.epochMs());
    checkStreamCount(await registry.count(), rules);
    const files = await resolveObjects(objectStore, input.files, rules, digests);
    const commit = () =>
      registry.change(input.streamId, (current) => planCreate(current, input, files, rules, clock.epochMs()));
    // Counting and creating are two steps: without the lock, two creates could both take the last place.
    const entry = await quotaLock.run("streams", async () => {
      checkStreamCount(await registry.count(), rules);
      return commit();
    });
    return viewChangedStream(requireLive(entry, input.streamId), rules.scope);
  });
}

async function updateStream(context: ControlContext, streamLocks: KeyedLock, request: ControlRequest): Promise<object> {
  const { clock, digests, objectStore, registry, rules } = context;
  const input = parseUpdateStream(request.params.streamId ?? "", request.body);
  if (input.files !== undefined) checkFileCount(input.files.length, rules);
  return streamLocks.run(input.streamId, async () => {
    const base = planUpdateBase(await registry.find(input.streamId), input.streamId);
    const named: readonly FileInput[] = input.files ?? base.files;
    const files = await resolveObjects(objectStore, named, rules, digests);
    const entry = await registry.change(input.streamId, (current) =>
      planUpdate(current, input, base, files, clock.epochMs()),
    );
    return viewChangedStream(requireLive(entry, input.streamId), rules.scope);
  });
}

async function describeStream({ registry, rules }: ControlContext, request: ControlRequest): Promise<object> {
  const streamId = parseStreamId(request.params.streamId ?? "");
  const record = requireLive(await registry.find(streamId), streamId);
  return { streamInfo: viewStreamInfo(record, rules.scope) };
}

async function deleteStream(context: ControlContext, request: ControlRequest): Promise<object> {
  const streamId = parseStreamId(request.params.streamId ?? "");
  await context.registry.change(streamId, (current) =>
    planDelete(current, streamId, context.isInUse(streamId), context.clock.epochMs()),
  );
  return {};
}

async function listStreams({ registry, rules }: ControlContext, request: ControlRequest): Promise<object> {
  const page = await registry.list(parseListStreams(request.query));
  return {
    streams: page.streams.map((record) => viewStreamSummary(record, rules.scope)),
    nextToken: page.nextToken,
  };
}
