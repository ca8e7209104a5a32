/** Addresses of MQTT brokers: which are valid, and how one is shown without its secrets. */
import { OtaError } from "./protocol/errors.ts";

const PROTOCOLS: ReadonlySet<string> = new Set(["mqtt:", "mqtts:", "ws:", "wss:"]);

/**
 * Checks the URL of a broker: `mqtt`, `mqtts`, `ws` or `wss`, with a host. Throws OtaError `InvalidArgument` for
 * anything else, with a message that shows no credentials.
 */
export function parseBrokerUrl(text: string): URL {
  if (!URL.canParse(text)) throw new OtaError("InvalidArgument", "the broker must be a URL like mqtt://127.0.0.1:1883");
  const url = new URL(text);
  if (!PROTOCOLS.has(url.protocol) || url.hostname === "") {
    const rule = "the broker must be a URL with mqtt://, mqtts://, ws:// or wss:// and a host";
    throw new OtaError("InvalidArgument", `${rule}, not ${formatBrokerUrl(url)}`);
  }
  return url;
}

/** Shows a broker's URL without user, password, query and fragment. */
export function formatBrokerUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}
