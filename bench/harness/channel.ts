/** Questions and answers between the benchmark and a Node process of its own, over the process's channel. */
import type { ChildProcess } from "node:child_process";

interface Question {
  readonly id: number;
  readonly ask: unknown;
}

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The asking end. */
export class Channel<Ask, Reply> {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, PromiseWithResolvers<Reply>>();
  private lastId = 0;
  private ended: Error | undefined;

  constructor(child: ChildProcess) {
    this.child = child;
    child.on("message", (message) => {
      const { id, answer, error } = message as Answer;
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) asked?.resolve(answer as Reply);
      else asked?.reject(new Error(error));
    });
    child.once("exit", (code, signal) => {
      this.ended = new Error(`${child.spawnargs.join(" ")} ended (${signal ?? `status ${code}`})`);
      for (const asked of this.waiting.values()) asked.reject(this.ended);
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Whether the process has ended. */
  get isEnded(): boolean {
    return this.ended !== undefined;
  }

  /** Rejects when the process fails at it, ends, or has ended. */
  ask(ask: Ask): Promise<Reply> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    const id = ++this.lastId;
    const asked = Promise.withResolvers<Reply>();
    this.waiting.set(id, asked);
    this.child.send({ id, ask } satisfies Question);
    return asked.promise;
  }
}

/** The answering end: `answer` takes each question. */
export function answerQuestions<Ask, Reply>(answer: (ask: Ask) => Promise<Reply>): void {
  process.on("message", (message) => {
    const { id, ask } = message as Question;
    answer(ask as Ask).then(
      (reply) => process.send?.({ id, answer: reply } satisfies Answer),
      (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
    );
  });
}

/** Ends this process when the one that started it ends or asks for it; not on Ctrl-C, which reaches the whole terminal. */
export function endWithParent(): void {
  process.on("disconnect", () => process.exit());
  process.on("SIGTERM", () => process.exit());
  process.on("SIGINT", () => {});
}
