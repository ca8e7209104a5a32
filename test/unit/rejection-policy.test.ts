import { describe, expect, it } from "vitest";
import { type RejectionReaction, reactTo } from "../../device/protocol/rejection-policy.ts";
import { REJECTION_CODES, type RejectionCode } from "../../shared/protocol/rejection.ts";

/** What a device does about each code, by what it had asked: the reactions to describe, get and manifest. */
const REACTIONS: Readonly<Record<RejectionCode, readonly [RejectionReaction, RejectionReaction, RejectionReaction]>> = {
  InvalidTopic: ["fail", "fail", "doWithout"],
  InvalidJson: ["fail", "fail", "doWithout"],
  InvalidCbor: ["fail", "fail", "doWithout"],
  InvalidRequest: ["fail", "fail", "doWithout"],
  Unauthorized: ["fail", "fail", "doWithout"],
  BlockSizeOutOfBounds: ["fail", "fail", "doWithout"],
  OffsetOutOfBounds: ["fail", "fail", "doWithout"],
  BlockCountLimitExceeded: ["fail", "fail", "doWithout"],
  BlockBitmapLimitExceeded: ["fail", "fail", "doWithout"],
  ResourceNotFound: ["fail", "fail", "doWithout"],
  VersionMismatch: ["fail", "describe", "describe"],
  ETagMismatch: ["fail", "describe", "describe"],
  InternalError: ["backOff", "backOff", "backOff"],
};

describe("the reaction to a rejection", () => {
  it.each(REJECTION_CODES)("with %s is the one of the table", (code) => {
    const reactions = (["describe", "get", "manifest"] as const).map((request) => reactTo(code, request));
    expect(reactions).toEqual(REACTIONS[code]);
  });
});
