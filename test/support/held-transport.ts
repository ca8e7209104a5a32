/** A device's transport that can hold back what the device sends, and says what the device was told. */
import { EventEmitter, once } from "node:events";
import { decodeRejected } from "../../shared/protocol/decode-response.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import { parseTopic } from "../../shared/protocol/topics.ts";
import type { DeviceHandlers, DeviceTransport } from "../../shared/transport.ts";

/** A transport around another one. */
export class HeldTransport implements DeviceTransport {
  /** Resolves once the transport is held. */
  readonly isHeld: Promise<void>;
  private readonly inner: DeviceTransport;
  private readonly holding = Promise.withResolvers<void>();
  private readonly events = new EventEmitter();
  private readonly codes: RejectionCode[] = [];
  private waiting: (readonly [topic: string, payload: Uint8Array])[] | undefined;
  private wasHeld = false;

  constructor(inner: DeviceTransport) {
    this.inner = inner;
    this.isHeld = this.holding.promise;
  }

  /** Keeps what the device sends from now on; only the first call counts. */
  hold(): void {
    if (this.wasHeld) return;
    this.wasHeld = true;
    this.waiting = [];
    this.holding.resolve();
  }

  /** Sends what was kept. */
  release(): void {
    const { waiting = [] } = this;
    this.waiting = undefined;
    for (const [topic, payload] of waiting) this.inner.publish(topic, payload);
  }

  /** Resolves once the device was told this code. */
  async rejected(code: RejectionCode): Promise<void> {
    while (!this.codes.includes(code)) await once(this.events, "rejected");
  }

  connect(topicFilters: readonly string[], handlers: DeviceHandlers): Promise<void> {
    return this.inner.connect(topicFilters, {
      connected: () => handlers.connected(),
      disconnected: (reason) => handlers.disconnected(reason),
      messageArrived: (topic, payload) => {
        const parsed = parseTopic(topic);
        const told = parsed?.kind === "stream" && parsed.operation === "rejected" ? parsed.format : undefined;
        const rejection = told === undefined ? undefined : decodeRejected(told, payload);
        handlers.messageArrived(topic, payload);
        if (rejection === undefined) return;
        this.codes.push(rejection.code);
        this.events.emit("rejected");
      },
    });
  }

  subscribe(topicFilter: string): Promise<void> {
    return this.inner.subscribe(topicFilter);
  }

  publish(topic: string, payload: Uint8Array): void {
    if (this.waiting === undefined) this.inner.publish(topic, payload);
    else this.waiting.push([topic, payload]);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
