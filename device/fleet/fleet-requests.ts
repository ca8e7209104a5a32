/** One connection of a simulated device as its session sees it: the topics, and the requests that go out on them. No IO. */
import { encodeDescribe, encodeGet } from "../../shared/protocol/encode.ts";
import type { ManifestRequest } from "../../shared/protocol/messages.ts";
import { formatTopic, type Operation } from "../../shared/protocol/topics.ts";
import type { SessionCommand, SessionInput } from "../protocol/session-types.ts";
import type { FleetConnection, FleetEvents, FleetPath } from "./fleet-connection.ts";
import type { FleetJob } from "./fleet-job.ts";

/** A command to send something. */
export type RequestCommand = Extract<SessionCommand, { do: "publishDescribe" | "publishGet" | "publishManifest" }>;

/** Made anew for each connection. */
export class FleetRequests {
  private readonly job: FleetJob;
  private readonly thing: string;
  private readonly connection: FleetConnection;
  private getsChecksums = false;
  /** It leaves when its answer's topic is subscribed to. */
  private heldRequest: ManifestRequest | undefined;

  /** Begins to connect; an event follows, never before this returned. */
  constructor(job: FleetJob, thing: string, path: FleetPath, events: FleetEvents) {
    this.job = job;
    this.thing = thing;
    const dataTopic = this.topic("data");
    const topicFilters = [this.topic("description"), dataTopic, this.topic("rejected")];
    const streamed = job.format === "cbor" ? { dataTopic } : {};
    this.connection = path.connect({ clientId: thing, topicFilters, ...streamed }, events);
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  /** Sends what a session asks for. */
  send(command: RequestCommand): void {
    const { format } = this.job;
    if (command.do === "publishGet") this.publish("get", encodeGet(format, command.request));
    else if (command.do === "publishDescribe") this.publish("describe", encodeDescribe(format, command.request));
    else this.requestManifest(command.request);
  }

  /** Takes the broker's answer to the subscription that a manifest needs; returns what the session has to know of it. */
  subscribed(isGranted: boolean): SessionInput | undefined {
    const { heldRequest } = this;
    this.heldRequest = undefined;
    this.getsChecksums = isGranted;
    if (heldRequest === undefined) return undefined;
    if (isGranted) {
      this.requestManifest(heldRequest);
      return undefined;
    }
    const { clientToken = "" } = heldRequest;
    const message = "the broker refused the subscription to checksums";
    return { on: "rejected", rejection: { code: "InvalidTopic", message, clientToken } };
  }

  /** Says goodbye to the broker. */
  close(): void {
    this.connection.close();
  }

  /** Cuts the connection without a word. */
  drop(): void {
    this.connection.drop();
  }

  /** Nobody else's server knows the topic of its answer, so it is subscribed to only when the description announced it. */
  private requestManifest(request: ManifestRequest): void {
    if (this.getsChecksums) {
      this.publish("manifest", encodeGet(this.job.format, request));
      return;
    }
    if (this.heldRequest === undefined) this.connection.subscribe(this.topic("checksums"));
    this.heldRequest = request;
  }

  private publish(operation: Operation, payload: Uint8Array): void {
    this.connection.publish(this.topic(operation), payload);
  }

  private topic(operation: Operation): string {
    return formatTopic(this.thing, this.job.session.streamId, operation, this.job.format);
  }
}
