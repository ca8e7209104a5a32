/** The packet scanner finds the first packet that is too large, whatever the chunking, by its header alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketScanner } from "../../broker/protocol/packet-scanner.ts";

const LIMIT = 262_144;

/** A fixed header and as much of a body as asked for. */
function packet(remainingLength: number, bodyBytes = remainingLength): Buffer {
  const header = [0x30];
  let rest = remainingLength;
  do {
    header.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(bodyBytes, 0xff)]);
}

function scanByteByByte(bytes: Buffer): ReturnType<PacketScanner["scan"]> {
  const scanner = new PacketScanner();
  let fault: ReturnType<PacketScanner["scan"]>;
  for (const byte of bytes) fault = scanner.scan(Uint8Array.of(byte));
  return fault;
}

describe("PacketScanner", () => {
  it("passes a packet of exactly 262144 bytes and the packets around it", () => {
    const bytes = Buffer.concat([
      packet(0),
      packet(LIMIT - 4),
      packet(127),
      packet(128),
      packet(16_383),
      packet(16_384),
    ]);
    expect(new PacketScanner().scan(bytes)).toBeUndefined();
  });

  it.each([LIMIT - 3, LIMIT, 268_435_455])("reports a remaining length of %d before its body", (remainingLength) => {
    const header = packet(remainingLength, 0);
    const fault = { kind: "tooLarge", sizeBytes: header.length + remainingLength, limitBytes: LIMIT };
    expect(new PacketScanner().scan(header)).toEqual(fault);
    expect(scanByteByByte(Buffer.concat([packet(300), header]))).toEqual(fault);
  });

  it("reports a remaining length with a fifth byte at its fourth", () => {
    const scanner = new PacketScanner();
    expect(scanner.scan(Buffer.of(0x30, 0xff, 0xff, 0xff))).toBeUndefined();
    expect(scanner.scan(Buffer.of(0x80))).toEqual({ kind: "malformedLength" });
    expect(scanner.scan(Buffer.of(0x01, 0x00))).toEqual({ kind: "malformedLength" });
  });

  it("counts an overlong length as what it says", () => {
    expect(
      new PacketScanner().scan(Buffer.of(0x30, 0x81, 0x80, 0x80, 0x00, 0xff, 0x30, 0xff, 0xff, 0x7f)),
    ).toMatchObject({
      kind: "tooLarge",
    });
  });

  it("finds the same in any chunking", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        lengths,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 500 }),
        (bodies, cuts, limit) => {
          const bytes = Buffer.concat(bodies.map((length) => packet(length)));
          const expected = bodies.map((length) => packet(length).length).find((size) => size > limit);
          const scanner = new PacketScanner(limit);
          let fault: ReturnType<PacketScanner["scan"]>;
          for (let at = 0, index = 0; at < bytes.length; index++) {
            const cut = cuts[index % cuts.length] as number;
            fault = scanner.scan(bytes.subarray(at, at + cut));
            at += cut;
          }
          expect(fault).toEqual(
            expected === undefined ? undefined : { kind: "tooLarge", sizeBytes: expected, limitBytes: limit },
          );
        },
      ),
    );
  });
});
