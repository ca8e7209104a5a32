/** Descriptions of streams, encoded once for all the devices that ask for them. */
import type { RequestProfile } from "../shared/protocol/decode.ts";
import { addClientToken, encodeDescription } from "../shared/protocol/encode.ts";
import type { Format } from "../shared/protocol/topics.ts";
import { planDescription } from "./protocol/response-planner.ts";
import type { StreamRecord } from "./protocol/stream.ts";

/** Encodes descriptions and keeps them, without their token, for as long as somebody keeps the record of their stream. */
export class DescriptionCache {
  private readonly profile: RequestProfile;
  private readonly encoded = {
    cbor: new WeakMap<StreamRecord, Uint8Array>(),
    json: new WeakMap<StreamRecord, Uint8Array>(),
  };

  constructor(profile: RequestProfile) {
    this.profile = profile;
  }

  /** The answer to a describe request. */
  answerFor(stream: StreamRecord, format: Format, clientToken: string | undefined): Uint8Array {
    const description = this.encoded[format].get(stream) ?? this.encode(stream, format);
    return clientToken === undefined ? description : addClientToken(format, description, clientToken);
  }

  private encode(stream: StreamRecord, format: Format): Uint8Array {
    // The encoder goes on using its memory.
    const description = Uint8Array.from(encodeDescription(format, planDescription(stream, this.profile)));
    this.encoded[format].set(stream, description);
    return description;
  }
}
