/** Stands in for Aedes's publish queue: it carries the broker's messages about itself, and nothing else is ever in it. */
import { matchesTopic } from "./protocol/topic-filter.ts";

/** The part of a packet that says where it goes. */
interface Message {
  readonly topic: string;
}

/** Takes a message that matches; what it is to call when it is done holds nobody up. */
type Listener = (message: Message, done: () => void) => void;

const SYSTEM = "$SYS";

/**
 * Aedes subscribes every client here, in a tree of all topics, which takes longer than all else that it does when a
 * device comes or goes. Blocks, answers and requests pass it by, so that only subscriptions to `$SYS` are kept.
 */
export class SystemTopics {
  private readonly listeners = new Map<string, Set<Listener>>();

  on(topicFilter: string, listener: Listener, done?: () => void): this {
    if (topicFilter.startsWith(SYSTEM)) {
      const others = this.listeners.get(topicFilter);
      if (others === undefined) this.listeners.set(topicFilter, new Set([listener]));
      else others.add(listener);
    }
    done?.();
    return this;
  }

  removeListener(topicFilter: string, listener: Listener, done?: () => void): this {
    const others = this.listeners.get(topicFilter);
    others?.delete(listener);
    if (others?.size === 0) this.listeners.delete(topicFilter);
    done?.();
    return this;
  }

  emit(message: Message, done?: () => void): this {
    if (message.topic.startsWith(SYSTEM)) {
      for (const [topicFilter, listeners] of this.listeners) {
        if (matchesTopic(topicFilter, message.topic)) for (const listener of listeners) listener(message, ignore);
      }
    }
    done?.();
    return this;
  }

  close(done: () => void): this {
    this.listeners.clear();
    setImmediate(done);
    return this;
  }
}

function ignore(): void {}
