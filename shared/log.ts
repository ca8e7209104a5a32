/** The log port: what every part writes its events to. Secrets never go in a field. */

/** Named values beside a log message. */
export type LogFields = Record<string, unknown>;

/** Takes one event at a level: a short sentence and its fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const ignore = (): void => {};

/** A log that keeps nothing. */
export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
