/** A door in front of an S3 server that counts what is read through it, and can hold, refuse or drop requests. */
import { EventEmitter, once } from "node:events";
import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of the requests: passed on, kept waiting, answered with an error of S3, or dropped with their connection. */
export type S3ProxyBehaviour =
  | "forward"
  | "hold"
  | "drop"
  | { readonly status: number; readonly code: string; readonly only?: "GET" | "HEAD" };

/** One GET or HEAD of an object: a read or a check. */
export interface ObjectRequest {
  readonly method: "GET" | "HEAD";
  /** "bucket/key", percent-encoded as it came. */
  readonly object: string;
}

/** A running door. */
export class S3Proxy {
  /** Reads and checks since the last {@link S3Proxy.forget}, in the order in which they came. */
  readonly requests: ObjectRequest[] = [];
  /** Most requests for one object that were under way at the same time. */
  mostInFlight = 0;
  private readonly target: URL;
  private readonly server: Server;
  private readonly inFlight = new Map<string, number>();
  private readonly events = new EventEmitter().setMaxListeners(0);
  private behaviour: S3ProxyBehaviour = "forward";

  private constructor(endpoint: string) {
    this.target = new URL(endpoint);
    this.server = createServer((request, response) => void this.take(request, response));
  }

  /** Opens a door on loopback to the S3 server at `endpoint`. */
  static async open(endpoint: string): Promise<S3Proxy> {
    const proxy = new S3Proxy(endpoint);
    proxy.server.listen(0, "127.0.0.1");
    await once(proxy.server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Changes what becomes of requests, those that are held at the moment included. */
  behave(behaviour: S3ProxyBehaviour): void {
    this.behaviour = behaviour;
    this.events.emit("behaviour");
  }

  /** Starts counting anew. */
  forget(): void {
    this.requests.length = 0;
    this.mostInFlight = 0;
  }

  /** How many requests of one method came. */
  count(method: "GET" | "HEAD"): number {
    return this.requests.filter((request) => request.method === method).length;
  }

  /** Resolves once `count` requests came since the last {@link S3Proxy.forget}. */
  async untilRequests(count: number): Promise<void> {
    while (this.requests.length < count) await once(this.events, "request");
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => {});
    const leave = this.enter(request);
    while (this.behaviour === "hold") await once(this.events, "behaviour");
    const { behaviour } = this;
    if (behaviour === "drop") {
      leave();
      request.socket.destroy();
    } else if (typeof behaviour === "object" && (behaviour.only ?? request.method) === request.method) {
      leave();
      request.resume();
      response.writeHead(behaviour.status, { "content-type": "application/xml" });
      response.end(`<Error><Code>${behaviour.code}</Code><Message>injected</Message></Error>`);
    } else {
      this.pass(request, response, leave);
    }
  }

  /** Counts a read or a check in; the result counts it out, once. */
  private enter({ method, url = "/" }: IncomingMessage): () => void {
    const object = new URL(url, this.target).pathname.slice(1);
    if ((method !== "GET" && method !== "HEAD") || !object.includes("/")) return () => {};
    const count = (this.inFlight.get(object) ?? 0) + 1;
    this.inFlight.set(object, count);
    this.mostInFlight = Math.max(this.mostInFlight, count);
    this.requests.push({ method, object });
    this.events.emit("request");
    return () => this.inFlight.set(object, (this.inFlight.get(object) ?? 1) - 1);
  }

  /** Passes a request on with its signed headers as they are. An answer counts as given before its last byte is. */
  private pass(request: IncomingMessage, response: ServerResponse, leave: () => void): void {
    const { hostname, port } = this.target;
    const { method, url: path, headers } = request;
    const onward = forward({ hostname, port, method, path, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        leave();
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        response.end(Buffer.concat(chunks));
      });
    });
    onward.on("error", () => {
      leave();
      request.socket.destroy();
    });
    request.pipe(onward);
  }
}
