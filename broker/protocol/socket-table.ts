/** The kernel's tables of TCP sockets (`/proc/net/tcp` and `tcp6`, Linux): what is queued for whom. No IO. */

/** Where a row has its columns, from the colon after its number on: local and remote address, state, queues. */
const LOCAL_AT = 2;
const QUEUE_DIGITS = 8;
const EMPTY_QUEUE = "00000000";
const WORD_DIGITS = 8;

/** Names one connection in a table: the peer's address and port, and the port here. */
export function socketKey(remoteAddress: string, remotePort: number, localPort: number): string {
  return `${addressDigits(remoteAddress)}:${portDigits(remotePort)}<${portDigits(localPort)}`;
}

/**
 * Adds to `queues` what a table says is queued to be sent: for each connection with any, by its {@link socketKey}, the
 * bytes that its peer has not acknowledged. Rows that are not understood are left out.
 */
export function readSendQueues(table: string, queues: Map<string, number>): void {
  const heading = table.indexOf("\n");
  const firstRow = table.slice(heading + 1, table.indexOf("\n", heading + 1));
  const addressEnd = firstRow.indexOf(":", firstRow.indexOf(":") + 1);
  const localBytes = addressEnd - firstRow.indexOf(":") - LOCAL_AT;
  if (heading < 0 || localBytes < WORD_DIGITS) return;
  const fieldBytes = localBytes + 5;
  const queueAt = LOCAL_AT + 2 * (fieldBytes + 1) + 3;
  for (let row = heading + 1; row < table.length; row = table.indexOf("\n", row) + 1) {
    const at = table.indexOf(":", row);
    if (at < 0) return;
    const from = at + queueAt;
    if (!table.startsWith(EMPTY_QUEUE, from)) {
      const remoteAt = at + LOCAL_AT + fieldBytes + 1;
      const localPort = table.slice(at + LOCAL_AT + localBytes + 1, at + LOCAL_AT + fieldBytes);
      const bytes = Number.parseInt(table.slice(from, from + QUEUE_DIGITS), 16);
      if (bytes > 0) queues.set(`${table.slice(remoteAt, remoteAt + fieldBytes)}<${localPort}`, bytes);
    }
    if (table.indexOf("\n", row) < 0) return;
  }
}

function portDigits(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** An address as the tables have it on a little-endian machine: words of 32 bits, each with its bytes reversed. */
function addressDigits(address: string): string {
  const bytes = address.includes(":") ? ipv6Bytes(address) : ipv4Bytes(address);
  let digits = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let index = word + 3; index >= word; index--) digits += (bytes[index] ?? 0).toString(16).padStart(2, "0");
  }
  return digits.toUpperCase();
}

function ipv4Bytes(address: string): number[] {
  return address.split(".").map(Number);
}

function ipv6Bytes(address: string): number[] {
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const before = groupBytes(head);
  if (tail === undefined) return before;
  const after = groupBytes(tail);
  return [...before, ...Array<number>(Math.max(0, 16 - before.length - after.length)).fill(0), ...after];
}

function groupBytes(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (group.includes(".")) return ipv4Bytes(group);
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}
