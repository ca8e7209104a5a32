/** What the commands have in common towards a person: lines, logs, interruption, and how a failure is told. */
import { type DestinationStream, pino } from "pino";
import pretty from "pino-pretty";
import type { Log } from "../shared/log.ts";
import { OtaError } from "../shared/protocol/errors.ts";

/** How much is logged. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Opens a log on stderr: readable lines on a terminal, one JSON object a line elsewhere. */
export function openLog(level: LogLevel): Log {
  const sink: DestinationStream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, colorize: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" })
    : pino.destination({ dest: 2, sync: true });
  const logger = pino({ level, base: null, serializers: { error: pino.stdSerializers.err } }, sink);
  return {
    debug: (message, fields) => logger.debug(fields, message),
    info: (message, fields) => logger.info(fields, message),
    warn: (message, fields) => logger.warn(fields, message),
    error: (message, fields) => logger.error(fields, message),
  };
}

/** Goes on when nobody reads the output any more, as after `| head -1`: what a command does matters more than what it says. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}

/** Writes a line to stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line for a person to stderr. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A signal that aborts on the first SIGINT or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller.signal;
}

/** Resolves when the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Tells a failure in one sentence and gives the exit status for it; a bug of ours comes with its stack. */
export function tellFailure(error: unknown): number {
  if (!(error instanceof OtaError)) {
    tell(`otastream: unexpected failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return 70;
  }
  tell(`otastream: ${error.message} (${error.code})`);
  if (error.code === "Interrupted") return 130;
  return error.code === "InvalidArgument" ? 2 : 1;
}
