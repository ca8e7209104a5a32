/** How a device meets each rejection of one of its requests. No IO. */
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import type { Stage } from "./transitions.ts";

/** Which request was rejected. */
export type RejectedRequest = "describe" | "get" | "manifest";

const REQUEST_IN_STAGE: Partial<Readonly<Record<Stage, RejectedRequest>>> = {
  describing: "describe",
  fetchingManifest: "manifest",
};

/**
 * What to do about a rejection:
 * - `backOff`: the publisher cannot answer now; ask again later.
 * - `describe`: the stream is not the described one any more; ask what it is now.
 * - `doWithout`: go on without a manifest.
 * - `fail`: asking again does not change the answer.
 */
export type RejectionReaction = "backOff" | "describe" | "doWithout" | "fail";

/** Which request a rejection in this stage is for. */
export function requestIn(stage: Stage): RejectedRequest {
  return REQUEST_IN_STAGE[stage] ?? "get";
}

/** Chooses by the code and by what was asked (docs/PROTOCOL.md section 2). */
export function reactTo(code: RejectionCode, request: RejectedRequest): RejectionReaction {
  if (code === "InternalError") return "backOff";
  if (request !== "describe" && (code === "VersionMismatch" || code === "ETagMismatch")) return "describe";
  // A publisher that announces manifests and then refuses one is met as one without them.
  return request === "manifest" ? "doWithout" : "fail";
}
