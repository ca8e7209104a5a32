/** Topics of requests taken apart, and those of the blocks that answer them, once for each device and stream. */
import { LRUCache } from "lru-cache";
import { formatTopic, type MalformedTopic, parseTopic, type StreamTopic } from "../shared/protocol/topics.ts";

/** A request's topic and where its blocks go. */
export interface RequestTopic extends StreamTopic {
  readonly dataTopic: string;
}

/** Most topics remembered: the requests of 20,000 downloads. */
const MAX_TOPICS = 20_000;

/** Remembers the topics that devices published to lately. */
export class RequestTopics {
  private readonly known = new LRUCache<string, RequestTopic>({ max: MAX_TOPICS });

  /** What {@link parseTopic} makes of a topic, and where blocks of its stream go to its thing. */
  parse(topic: string): RequestTopic | MalformedTopic | undefined {
    const known = this.known.get(topic);
    if (known !== undefined) return known;
    const parsed = parseTopic(topic);
    if (parsed?.kind !== "stream") return parsed;
    const { thing, streamId, format } = parsed;
    const made: RequestTopic = { ...parsed, dataTopic: formatTopic(thing, streamId, "data", format) };
    this.known.set(topic, made);
    return made;
  }
}
