/** A receiver's process: started anew when it ended, ended when it hangs. */
import { fileURLToPath } from "node:url";
import type { ReceiverTask } from "../receivers/tasks.ts";
import { Channel } from "./channel.ts";
import type { Measurement } from "./measurement.ts";
import type { ProcessGroup } from "./process-group.ts";

const WORKER = fileURLToPath(new URL("../receivers/receiver-worker.ts", import.meta.url));
/** Longer than any task's own limit, connecting included. */
const HANG_MS = 150_000;

/** Takes one task after another. */
export class Receiver {
  private readonly group: ProcessGroup;
  private readonly nodeArgs: readonly string[];
  private channel: Channel<ReceiverTask, readonly Measurement[]>;

  constructor(group: ProcessGroup, nodeArgs: readonly string[] = []) {
    this.group = group;
    this.nodeArgs = nodeArgs;
    this.channel = this.start();
  }

  get pid(): number {
    return this.channel.pid;
  }

  /** Resolves with what was measured, which may be nothing; rejects when the process fails at it, hangs or ends. */
  async ask(task: ReceiverTask): Promise<readonly Measurement[]> {
    if (this.channel.isEnded) this.channel = this.start();
    const { pid } = this.channel;
    const impatient = setTimeout(() => void this.group.end([pid]), HANG_MS);
    try {
      return await this.channel.ask(task);
    } finally {
      clearTimeout(impatient);
    }
  }

  private start(): Channel<ReceiverTask, readonly Measurement[]> {
    return new Channel(this.group.startNode("receiver", WORKER, [], this.nodeArgs));
  }
}
