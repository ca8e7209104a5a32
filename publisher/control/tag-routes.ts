/** The three tag operations of the control plane. */
import { parseStreamArn } from "../protocol/arn.ts";
import { planTags, requireLive } from "../protocol/stream-rules.ts";
import { mergeTags, parseListTags, parseTagResource, parseUntagResource, removeTags } from "../protocol/tags.ts";
import type { ControlContext, ControlRequest, ControlRoute } from "./control-context.ts";

/** Gives the routes of TagResource, UntagResource and ListTagsForResource (docs/PROTOCOL.md section 1). */
export function tagRoutes(context: ControlContext): readonly ControlRoute[] {
  return [
    { method: "POST", path: "/tags", handle: (request) => tagResource(context, request) },
    { method: "POST", path: "/untag", handle: (request) => untagResource(context, request) },
    { method: "GET", path: "/tags", handle: (request) => listTags(context, request) },
  ];
}

async function tagResource({ registry, rules }: ControlContext, request: ControlRequest): Promise<object> {
  const input = parseTagResource(request.body);
  const streamId = parseStreamArn(rules.scope, input.resourceArn);
  await registry.change(streamId, (current) => planTags(current, streamId, (tags) => mergeTags(tags, input.tags)));
  return {};
}

async function untagResource({ registry, rules }: ControlContext, request: ControlRequest): Promise<object> {
  const input = parseUntagResource(request.body);
  const streamId = parseStreamArn(rules.scope, input.resourceArn);
  await registry.change(streamId, (current) => planTags(current, streamId, (tags) => removeTags(tags, input.tagKeys)));
  return {};
}

async function listTags({ registry, rules }: ControlContext, request: ControlRequest): Promise<object> {
  const streamId = parseStreamArn(rules.scope, parseListTags(request.query));
  const record = requireLive(await registry.find(streamId), streamId);
  return { tags: record.tags.map(({ key, value }) => ({ Key: key, Value: value })) };
}
