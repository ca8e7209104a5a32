/** Which WebSocket upgrades are let in. */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/** An HTTP status line's end and the reason in a sentence. */
export interface UpgradeRefusal {
  readonly status: string;
  readonly reason: string;
}

const PATHS: ReadonlySet<string> = new Set(["/", "/mqtt"]);
const SUBPROTOCOL = /(^|,)\s*mqtt(v3\.1)?\s*(,|$)/;

/**
 * Why an upgrade is refused, or undefined. The broker has no passwords and a browser lets any page open a WebSocket to
 * any address: a page may connect only from a loopback origin, or, where the broker is not bound to loopback, from the
 * host it connects to. Clients that are no browser send no origin.
 */
export function refuseUpgrade(
  url: string,
  headers: IncomingHttpHeaders,
  localAddress: string | undefined,
): UpgradeRefusal | undefined {
  const path = url.split("?", 1)[0] ?? "";
  if (!PATHS.has(path)) return { status: "404 Not Found", reason: "MQTT over WebSocket is at / and /mqtt." };
  if (!SUBPROTOCOL.test(headers["sec-websocket-protocol"] ?? "")) {
    return { status: "400 Bad Request", reason: "The subprotocol must be mqtt." };
  }
  if (headers.origin !== undefined && !isOriginAllowed(headers.origin, headers.host, localAddress)) {
    return { status: "403 Forbidden", reason: `Pages from ${headers.origin} may not connect here.` };
  }
  return undefined;
}

function isOriginAllowed(origin: string, host: string | undefined, localAddress: string | undefined): boolean {
  const from = hostnameOf(origin);
  if (from === undefined) return false;
  if (isLoopback(from)) return true;
  return !isLoopback(localAddress ?? "") && host !== undefined && from === hostnameOf(`http://${host}`);
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : undefined;
}

function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "::1") return true;
  return isIP(hostname) === 4 ? hostname.startsWith("127.") : hostname.startsWith("::ffff:127.");
}
