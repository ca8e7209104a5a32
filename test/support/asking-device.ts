/** A device that sends one request at a time as raw bytes and takes what comes back. */
import { randomBytes } from "node:crypto";
import { encodeCbor } from "../../shared/protocol/cbor.ts";
import {
  decodeChecksums,
  decodeData,
  decodeDescription,
  decodeRejected,
} from "../../shared/protocol/decode-response.ts";
import { encodeJson } from "../../shared/protocol/json.ts";
import type { ChecksumsMessage, DataMessage, Description, RejectedMessage } from "../../shared/protocol/messages.ts";
import { type Format, parseTopic, streamsPrefix } from "../../shared/protocol/topics.ts";
import { RawClient } from "./broker.ts";

/** One message from the publisher. */
export type Answer = { readonly topic: string; readonly payload: Buffer } & (
  | { readonly kind: "data"; readonly data: DataMessage }
  | { readonly kind: "description"; readonly description: Description }
  | { readonly kind: "checksums"; readonly checksums: ChecksumsMessage }
  | { readonly kind: "rejected"; readonly rejection: RejectedMessage }
);

/** A request: its bytes, or the members of its map. */
export type RequestBody = Uint8Array | Readonly<Record<string, unknown>>;

/** How a request is sent. */
export interface AskOptions {
  readonly format?: Format;
  /** "get" unless it is said; may be one that does not exist. */
  readonly operation?: string;
}

const ANSWERS = ["description", "data", "checksums", "rejected"];

/** A connected thing, subscribed to the answers of every stream. */
export class AskingDevice {
  readonly thing: string;
  private readonly client: RawClient;

  private constructor(thing: string, client: RawClient) {
    this.thing = thing;
    this.client = client;
  }

  /** Connects over TCP and subscribes. */
  static async connect(mqttUrl: string, thing = `device-${randomBytes(6).toString("hex")}`): Promise<AskingDevice> {
    const client = await RawClient.connect(Number(new URL(mqttUrl).port), thing);
    const granted = await client.subscribe(...ANSWERS.map((answer) => `${streamsPrefix(thing)}+/${answer}/+`));
    if (granted.some((code) => code !== 0)) throw new Error(`a subscription was refused: ${granted}`);
    return new AskingDevice(thing, client);
  }

  /** Sends a request and takes the first message that comes back. */
  async ask(streamId: string, body: RequestBody, options: AskOptions = {}): Promise<Answer> {
    this.send(streamId, body, options);
    return this.next();
  }

  /** Asks for blocks, and takes as many data messages; throws when there is anything else. */
  async fetch(streamId: string, body: RequestBody, count: number, options: AskOptions = {}): Promise<DataMessage[]> {
    this.send(streamId, body, options);
    const blocks: DataMessage[] = [];
    while (blocks.length < count) blocks.push(dataOf(await this.next()));
    return blocks;
  }

  /** Sends a request and waits for nothing. */
  send(streamId: string, body: RequestBody, { format = "cbor", operation = "get" }: AskOptions = {}): void {
    this.sendTo(`${streamsPrefix(this.thing)}${streamId}/${operation}/${format}`, encodeBody(format, body));
  }

  /** Sends bytes to any topic and waits for nothing. */
  sendTo(topic: string, payload: Uint8Array): void {
    this.client.publish(topic, Buffer.from(payload));
  }

  /** Takes the next message. */
  async next(): Promise<Answer> {
    const packet = await this.client.next("publish");
    return readAnswer(packet.topic, Buffer.from(packet.payload));
  }

  /** Resolves once the broker has handled everything that was sent. */
  ping(): Promise<void> {
    return this.client.ping();
  }

  /** Messages that came and were not taken. */
  get untaken(): number {
    return this.client.packets.filter(({ cmd }) => cmd === "publish").length;
  }

  close(): void {
    this.client.destroy();
  }
}

/** The block of an answer; throws with the rejection when it is one. */
export function dataOf(answer: Answer): DataMessage {
  if (answer.kind === "data") return answer.data;
  throw new Error(`${answer.kind} came: ${JSON.stringify(answer.kind === "rejected" ? answer.rejection : "")}`);
}

/** The rejection of an answer; throws when it is something else. */
export function rejectionOf(answer: Answer): RejectedMessage {
  if (answer.kind === "rejected") return answer.rejection;
  throw new Error(`${answer.kind} came where a rejection was expected`);
}

/** A request as a device writes it: in JSON byte strings are hex. */
export function encodeBody(format: Format, body: RequestBody): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body);
  if (format === "cbor") return Buffer.from(encodeCbor(body));
  const members = Object.entries(body).map(([key, value]) => [
    key,
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  ]);
  return Buffer.from(encodeJson(Object.fromEntries(members)));
}

function readAnswer(topic: string, payload: Buffer): Answer {
  const parsed = parseTopic(topic);
  if (parsed?.kind !== "stream") throw new Error(`an answer came on ${topic}`);
  const { format, operation } = parsed;
  const data = operation === "data" ? decodeData(format, payload) : undefined;
  if (data !== undefined) return { kind: "data", topic, payload, data };
  const description = operation === "description" ? decodeDescription(format, payload) : undefined;
  if (description !== undefined) return { kind: "description", topic, payload, description };
  const checksums = operation === "checksums" ? decodeChecksums(format, payload) : undefined;
  if (checksums !== undefined) return { kind: "checksums", topic, payload, checksums };
  const rejection = operation === "rejected" ? decodeRejected(format, payload) : undefined;
  if (rejection !== undefined) return { kind: "rejected", topic, payload, rejection };
  throw new Error(`a message on ${topic} could not be read: ${payload.toString("hex").slice(0, 200)}`);
}
