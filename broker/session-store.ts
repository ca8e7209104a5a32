/** Bounds what is kept of clients that are away: their subscriptions, and nothing else. */

interface SessionOwner {
  readonly id: string;
}

interface StoredSubscription {
  readonly topic: string;
}

/** What Aedes keeps a persistent session in; the part that is bounded here. */
export interface SessionStore {
  addSubscriptions(client: SessionOwner, subscriptions: readonly StoredSubscription[]): Promise<void>;
  subscriptionsByClient(client: SessionOwner): Promise<readonly StoredSubscription[]>;
  countOffline(): Promise<{ readonly clientsCount: number }>;
  outgoingEnqueueCombi(subscriptions: unknown, packet: unknown): Promise<void>;
}

/** Client ids whose subscriptions are kept; those of further ones last as long as their connection. */
const MAX_SESSIONS = 20_000;

/**
 * Changes `store` so that it keeps only subscriptions that `mayKeep` allows, of 20,000 clients at most, and queues no
 * message for a client that is away: everything goes at QoS 0. (Aedes stores all subscriptions of a SUBSCRIBE packet
 * when it grants one of them.)
 */
export function boundSessions(store: SessionStore, mayKeep: (clientId: string, topicFilter: string) => boolean): void {
  const add = store.addSubscriptions.bind(store);
  store.addSubscriptions = async (client, subscriptions) => {
    const { clientsCount } = await store.countOffline();
    if (clientsCount >= MAX_SESSIONS && (await store.subscriptionsByClient(client)).length === 0) return;
    const kept = subscriptions.filter(({ topic }) => mayKeep(client.id, topic));
    await add(client, kept);
  };
  store.outgoingEnqueueCombi = () => Promise.resolve();
}
