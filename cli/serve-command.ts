/** `otastream serve`: the whole server until a signal ends it. */
import { type ServerOptions, startServer } from "./server.ts";
import { interruption, print, untilAborted } from "./terminal.ts";

/** What the command line says. */
export interface ServeOptions extends ServerOptions {
  /** Print one line of JSON on stdout once everything accepts connections. */
  readonly json: boolean;
}

/** Serves until SIGINT or SIGTERM. */
export async function runServe(options: ServeOptions): Promise<void> {
  const signal = interruption();
  const server = await startServer(options);
  try {
    if (options.json) print(JSON.stringify({ ready: true, ...server.urls }));
    else printAddresses(server.urls);
    await untilAborted(signal);
    options.log.info("stopping");
  } finally {
    await server.close();
  }
}

function printAddresses({ mqtt, ws, http, s3 }: Awaited<ReturnType<typeof startServer>>["urls"]): void {
  print("otastream is ready");
  print(`  devices    ${mqtt}${ws === undefined ? "" : `  ${ws}`}`);
  print(`  AWS IoT    aws --endpoint-url ${http} iot list-streams`);
  print(`  storage    aws --endpoint-url ${s3} s3 ls`);
  print("Ctrl-C stops it.");
}
