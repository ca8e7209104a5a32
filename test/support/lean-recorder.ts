/** Records what a lean parser finds, so that blocks compare as equal whether they were streamed or came in whole packets. */
import { parser } from "mqtt-packet";
import { LeanParser, type LeanSink, type ParserFault } from "../../device/fleet/lean-parser.ts";
import { blocksIn, type ReceivedRun } from "../../device/fleet/received-run.ts";
import { publishLength, writePublishHead } from "../../shared/protocol/data-frame.ts";
import { decodeData } from "../../shared/protocol/decode-response.ts";

/** A data message as it came out. */
export interface RecordedBlock {
  readonly fileId: number;
  readonly blockId: number;
  readonly clientToken: string | undefined;
  readonly payload: string;
}

/** A sink that keeps everything. */
export class LeanRecorder implements LeanSink {
  /** Blocks, packets in hex, and the word `spoiled`, in the order in which they came. */
  readonly found: (RecordedBlock | string)[] = [];
  streamedBlocks = 0;
  /** How many blocks came at once, each time. */
  readonly runs: number[] = [];
  private readonly dataTopic: string;
  private payload: Buffer[] = [];

  constructor(dataTopic: string) {
    this.dataTopic = dataTopic;
  }

  runArrived(run: ReceivedRun): void {
    this.runs.push(run.blockCount);
    for (const { fileId, blockId, sizeBytes, clientToken, bytes, start } of blocksIn(run)) {
      this.payloadArrived(bytes, start, start + sizeBytes);
      this.blockArrived(fileId, blockId, sizeBytes, clientToken);
    }
  }

  payloadArrived(bytes: Uint8Array, start: number, end: number): void {
    this.payload.push(Buffer.from(bytes.slice(start, end)));
  }

  blockArrived(fileId: number, blockId: number, sizeBytes: number, clientToken: string | undefined): void {
    const payload = Buffer.concat(this.payload);
    if (payload.length !== sizeBytes) throw new Error(`${payload.length} bytes came for a block of ${sizeBytes}`);
    this.payload = [];
    this.streamedBlocks++;
    this.found.push({ fileId, blockId, clientToken, payload: payload.toString("hex") });
  }

  blockSpoiled(): void {
    this.payload = [];
    this.found.push("spoiled");
  }

  packetArrived(packet: Uint8Array): void {
    this.found.push(blockIn(packet, this.dataTopic) ?? Buffer.from(packet).toString("hex"));
  }
}

/** Reads `bytes` in pieces that end at `cuts`, each copied into the same memory. */
export function readInPieces(
  topic: string,
  bytes: Uint8Array,
  cuts: readonly number[],
): { readonly recorder: LeanRecorder; readonly fault: ParserFault | undefined } {
  const recorder = new LeanRecorder(topic);
  const lean = new LeanParser(recorder, Buffer.from(topic));
  const memory = new Uint8Array(bytes.length + 512);
  let fault: ParserFault | undefined;
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // What is left in the memory from the piece before must not matter.
    memory.fill(0x61, cut - from);
    memory.set(bytes.subarray(from, cut));
    fault = lean.push(memory, cut - from);
    from = cut;
  }
  return { recorder, fault };
}

/** A PUBLISH packet at QoS 0, not retained. */
export function publishPacket(topic: string, payload: Uint8Array): Uint8Array {
  const topicBytes = Buffer.from(topic);
  const packet = new Uint8Array(publishLength(topicBytes.length, payload.length));
  packet.set(payload, writePublishHead(packet, 0, topicBytes, payload.length));
  return packet;
}

/** The block that a whole packet is the message of, by the ordinary decoders. */
export function blockIn(bytes: Uint8Array, dataTopic: string): RecordedBlock | undefined {
  let block: RecordedBlock | undefined;
  const packets = parser({ protocolVersion: 4 });
  packets.on("error", () => {});
  packets.on("packet", (packet) => {
    if (packet.cmd !== "publish" || packet.topic !== dataTopic || packet.qos !== 0 || packet.retain) return;
    const data = decodeData("cbor", packet.payload as Buffer);
    if (data === undefined) return;
    const { fileId, blockId, clientToken, payload } = data;
    block = { fileId, blockId, clientToken, payload: Buffer.from(payload).toString("hex") };
  });
  packets.parse(Buffer.from(bytes));
  return block;
}
