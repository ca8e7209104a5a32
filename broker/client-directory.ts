/** Who is connected: things by name, and those who watch. */
import type { ClientLink } from "./client-link.ts";

const NO_LINKS: readonly ClientLink[] = [];

/** The connections that can receive something; a thing and an observer each have one at a time. */
export class ClientDirectory {
  private readonly things = new Map<string, ClientLink>();
  private readonly observers = new Map<string, ClientLink>();

  /** Enters a connection; one that holds the same client id is returned and is out. */
  enter(link: ClientLink): ClientLink | undefined {
    const links = this.linksLike(link);
    const previous = links?.get(link.clientId);
    links?.set(link.clientId, link);
    return previous === link ? undefined : previous;
  }

  /** Takes a connection out, unless another one stands in its place. */
  leave(link: ClientLink): void {
    const links = this.linksLike(link);
    if (links?.get(link.clientId) === link) links.delete(link.clientId);
  }

  /** The connection that holds a client id now. */
  find(clientId: string): ClientLink | undefined {
    return this.things.get(clientId) ?? this.observers.get(clientId);
  }

  /** The connection of a thing, if it is subscribed to `topic`. */
  device(thing: string, topic: string): ClientLink | undefined {
    const link = this.things.get(thing);
    return link?.receives(topic) ? link : undefined;
  }

  /** The observers that are subscribed to `topic`. */
  watchers(topic: string): readonly ClientLink[] {
    if (this.observers.size === 0) return NO_LINKS;
    return [...this.observers.values()].filter((link) => link.receives(topic));
  }

  private linksLike(link: ClientLink): Map<string, ClientLink> | undefined {
    if (link.role.kind === "nobody") return undefined;
    return link.role.kind === "thing" ? this.things : this.observers;
  }
}
