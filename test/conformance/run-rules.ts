/** Runs rules against a server, one after the other over one connection, with a fence behind each. */
import { DeviceLink, type Received } from "./device-link.ts";
import { type Difference, findDifference, isAsExpected } from "./judge.ts";
import type { ConnectionRule, RequestRule, Rule, Step } from "./rule.ts";
import type { StreamFacts } from "./stream-facts.ts";
import { request } from "./wire.ts";

/** What became of one rule. */
export type Outcome =
  | { readonly rule: Rule; readonly result: "pass" }
  | { readonly rule: Rule; readonly result: "fail"; readonly difference: Difference }
  | { readonly rule: Rule; readonly result: "skipped"; readonly reason: string };

/** What {@link runRules} needs. */
export interface RunOptions {
  readonly brokerUrl: string;
  readonly facts: StreamFacts;
  readonly rules: readonly Rule[];
  /** The server is its own broker; otherwise the rules that need that are skipped. */
  readonly isOwnBroker: boolean;
  readonly onOutcome?: (outcome: Outcome) => void;
}

/** How long a server may be silent before it counts as silent, in milliseconds. */
const SILENCE_MS = 2000;
/** After so many fences in a row that nothing came back for, there is no point in going on. */
const MAX_LOST_FENCES = 3;

/**
 * Runs the rules that hold under the facts' profile. Rejects when the broker cannot be reached, or when the server does
 * not answer the plainest request of all.
 */
export async function runRules(options: RunOptions): Promise<Outcome[]> {
  const run = new Run(options);
  const outcomes: Outcome[] = [];
  try {
    await run.checkFence();
    for (const rule of options.rules) {
      if (rule.profile !== "both" && rule.profile !== options.facts.profile) continue;
      const outcome = await run.judge(rule);
      outcomes.push(outcome);
      options.onOutcome?.(outcome);
    }
  } finally {
    await run.close();
  }
  return outcomes;
}

class Run {
  private readonly options: RunOptions;
  private readonly streamsPrefix: string;
  private link: DeviceLink | undefined;
  private fenceCount = 0;
  private lostFences = 0;

  constructor(options: RunOptions) {
    this.options = options;
    this.streamsPrefix = `$aws/things/${options.facts.thing}/streams/`;
  }

  async checkFence(): Promise<void> {
    const link = await this.openLink();
    if ((await this.fence(link)) !== undefined) return;
    const { streamId, small } = this.options.facts;
    throw new Error(
      `the server does not answer a request for block 0 of file ${small.fileId} of stream ${streamId} within ${SILENCE_MS} ms with data that carry its token`,
    );
  }

  async judge(rule: Rule): Promise<Outcome> {
    if (rule.needsOwnBroker && !this.options.isOwnBroker) {
      return { rule, result: "skipped", reason: "cannot be seen behind another broker" };
    }
    const difference = rule.kind === "request" ? await this.runRequest(rule) : await this.runConnection(rule);
    return difference === undefined ? { rule, result: "pass" } : { rule, result: "fail", difference };
  }

  async close(): Promise<void> {
    await this.link?.close();
    this.link = undefined;
  }

  private async runRequest(rule: RequestRule): Promise<Difference | undefined> {
    const { facts } = this.options;
    const { operation, payload, expected, streamId = facts.streamId } = rule.exchange(facts);
    const prefix = `${this.streamsPrefix}${streamId}/`;
    const link = await this.openLink();
    link.take();
    link.publish(prefix + operation, payload);
    let good = 0;
    const isSettled = (): boolean => {
      for (let next = link.arrived[good]; next !== undefined; next = link.arrived[++good]) {
        if (!isAsExpected(expected[good], next, prefix)) return true;
      }
      return good >= expected.length;
    };
    await link.until(isSettled, SILENCE_MS);
    const received = await this.fence(link);
    if (received !== undefined) {
      this.lostFences = 0;
      return findDifference(expected, received, prefix) ?? this.deliveryFault(received);
    }
    if (!link.isClosed && ++this.lostFences === MAX_LOST_FENCES) {
      throw new Error(`the server has stopped answering; the last rule was ${rule.id}`);
    }
    const problem = link.isClosed
      ? "the server closed the connection"
      : "a plain request sent after this one was not answered";
    const difference = findDifference(expected, link.take(), prefix);
    return { expected: "", actual: "", ...difference, problem };
  }

  /** Answers go at QoS 0; the subscription is at QoS 1, so that the sender's choice shows. */
  private deliveryFault(received: readonly Received[]): Difference | undefined {
    const odd = received.find(({ qos, isRetained }) => qos !== 0 || isRetained);
    if (odd === undefined) return undefined;
    const actual = `QoS ${odd.qos}${odd.isRetained ? ", retained" : ""}`;
    return { problem: "the answer was not sent at QoS 0, not retained", expected: "QoS 0", actual };
  }

  /** Sends a request with a known answer; returns what came before that answer, or undefined when it did not come. */
  private async fence(link: DeviceLink): Promise<Received[] | undefined> {
    const { streamId, small } = this.options.facts;
    const token = Buffer.from(`fence-${this.fenceCount++}.`);
    const fields = { c: token.toString(), f: small.fileId, l: 4096, o: 0, n: 1 };
    const isFence = ({ topic, payload }: Received): boolean => topic.endsWith("/data/cbor") && payload.includes(token);
    link.publish(`${this.streamsPrefix}${streamId}/get/cbor`, request("cbor", fields));
    if (!(await link.until(() => link.arrived.some(isFence), SILENCE_MS))) return undefined;
    const received = link.take();
    return received.slice(0, received.findIndex(isFence));
  }

  private async openLink(): Promise<DeviceLink> {
    if (this.link !== undefined && !this.link.isClosed) return this.link;
    const link = await DeviceLink.connect(this.options.brokerUrl, this.options.facts.thing);
    for (const operation of ["description", "data", "rejected"]) {
      const filter = `${this.streamsPrefix}+/${operation}/+`;
      if (!(await link.subscribe(filter))) throw new Error(`the broker refused the subscription to ${filter}`);
    }
    this.link = link;
    return link;
  }

  private async runConnection(rule: ConnectionRule): Promise<Difference | undefined> {
    // The steps may connect under the same client id.
    await this.close();
    let link: DeviceLink | undefined;
    try {
      for (const step of rule.steps(this.options.facts)) {
        if (step.do === "connect") {
          await link?.close();
          link = await DeviceLink.connect(this.options.brokerUrl, step.clientId);
          continue;
        }
        const actual = await performStep(link as DeviceLink, step);
        if (actual !== undefined) return { problem: `${step.do} failed`, expected: describeStep(step), actual };
      }
      return undefined;
    } catch (error) {
      return { problem: (error as Error).message, expected: "", actual: "" };
    } finally {
      await link?.close();
    }
  }
}

/** Performs a step; returns what happened instead of what it expects. */
async function performStep(link: DeviceLink, step: Exclude<Step, { do: "connect" }>): Promise<string | undefined> {
  switch (step.do) {
    case "subscribe": {
      const isGranted = await link.subscribe(step.filter);
      return isGranted === step.isGranted ? undefined : isGranted ? "granted" : "refused";
    }
    case "publish":
      link.publish(step.topic, step.payload);
      return undefined;
    case "expect first message": {
      const isThere = await link.until(() => link.arrived.length > 0, SILENCE_MS);
      const topic = link.arrived[0]?.topic ?? (link.isClosed ? "closed" : "nothing");
      return isThere && topic === step.topic ? undefined : topic;
    }
    case "expect closed":
      await link.until(() => link.isClosed, SILENCE_MS);
      return link.isClosed ? undefined : "still open";
  }
}

function describeStep(step: Exclude<Step, { do: "connect" }>): string {
  if (step.do === "subscribe") return `${step.filter} ${step.isGranted ? "granted" : "refused"}`;
  return step.do === "expect closed" ? "closed" : step.topic;
}
