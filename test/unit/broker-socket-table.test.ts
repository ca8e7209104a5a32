/** The kernel's tables of sockets, as Linux writes them, and those of this machine. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openKernelQueues } from "../../broker/kernel-queues.ts";
import { readSendQueues, socketKey } from "../../broker/protocol/socket-table.ts";

const HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const rest = "00:00000000 00000000     0        0 126 1 00000000b88e82a9 100 0 0 10 0\n";
const V4 = `${HEADING}   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 ${rest}12345: 0100007F:075B 0A01A8C0:8B0E 01 00041000:00000000 ${rest}`;
const V6 = `${HEADING}   1: 00000000000000000000000001000000:075B B80D0120000000000000000001000000:1F90 01 00000200:0000000A ${rest}   2: 0000000000000000FFFF00000100007F:075B 0000000000000000FFFF00000200007F:0050 01 00000001:00000000 ${rest}`;

function queuesOf(...tables: string[]): Record<string, number> {
  const queues = new Map<string, number>();
  for (const table of tables) readSendQueues(table, queues);
  return Object.fromEntries(queues);
}

describe("socket tables", () => {
  it("say what is queued for each address, IPv4, IPv6 and IPv4 in IPv6", () => {
    expect(queuesOf(V4, V6)).toEqual({
      [socketKey("192.168.1.10", 0x8b0e, 1883)]: 0x41000,
      [socketKey("2001:db8::1", 8080, 1883)]: 0x200,
      [socketKey("::ffff:127.0.0.2", 80, 1883)]: 1,
    });
  });

  it("that are something else say nothing, and do no harm", () => {
    expect(queuesOf("", HEADING, "no table\n", `${HEADING}x\n`)).toEqual({});
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void queuesOf(text, HEADING + text, V4 + text)));
    fc.assert(fc.property(fc.string(), (address) => void socketKey(address, 1, 2)));
  });

  it.runIf(process.platform === "linux").each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
    "of this machine know what a peer on %s has not taken",
    async (address) => {
      const kernel = openKernelQueues();
      const server = createServer({ noDelay: true }).listen(0, "::");
      await once(server, "listening");
      const accepted = once(server, "connection");
      const client = connect((server.address() as AddressInfo).port, address).pause();
      const [socket] = (await accepted) as [Socket];
      while (socket.write(Buffer.alloc(64 * 1024)) || socket.writableLength === 0);
      const { remoteAddress = "", remotePort = 0, localPort = 0 } = socket;
      expect(
        kernel?.sendQueues(remoteAddress.includes(":")).get(socketKey(remoteAddress, remotePort, localPort)),
      ).toBeGreaterThan(10_000);
      expect(kernel?.totalBytes()).toBeGreaterThan(10_000);
      client.destroy();
      socket.destroy();
      server.close();
    },
  );
});
