/** The bytes of a description, under either profile (docs/PROTOCOL.md sections 2 and 3). */
import type { ExpectedBytes } from "./rule.ts";
import type { StreamFacts } from "./stream-facts.ts";
import { byteString, type Format, head, integer, map, text, utf8 } from "./wire.ts";

/** The description of the stream under test; the strict profile announces no additions. */
export function expectedDescription(facts: StreamFacts, format: Format, clientToken?: string): ExpectedBytes {
  const payload = format === "json" ? jsonDescription(facts, clientToken) : cborDescription(facts, clientToken);
  return { kind: "bytes", operation: "description", format, payload, mayAnnounce: facts.profile === "lenient" };
}

function cborDescription({ streamVersion, description, files, profile }: StreamFacts, clientToken?: string): Buffer {
  const described = files.map(({ fileId, bytes, crc32, sha256 }) =>
    map([
      ["f", integer(fileId)],
      ["z", integer(bytes.length)],
      ...(profile === "strict"
        ? []
        : ([
            ["crc32", integer(crc32)],
            ["sha256", byteString(sha256)],
          ] as const)),
    ]),
  );
  return map([
    ...(clientToken === undefined ? [] : ([["c", text(clientToken)]] as const)),
    ["s", integer(streamVersion)],
    ...(description === undefined ? [] : ([["d", text(description)]] as const)),
    ["r", Buffer.concat([head(4, described.length), ...described])],
  ]);
}

function jsonDescription({ streamVersion, description, files, profile }: StreamFacts, clientToken?: string): Buffer {
  const described = files.map(({ fileId, bytes, crc32, sha256 }) => {
    const digests = profile === "strict" ? "" : `,"crc32":${crc32},"sha256":"${Buffer.from(sha256).toString("hex")}"`;
    return `{"f":${fileId},"z":${bytes.length}${digests}}`;
  });
  const token = clientToken === undefined ? "" : `"c":${JSON.stringify(clientToken)},`;
  const words = description === undefined ? "" : `"d":${JSON.stringify(description)},`;
  return utf8(`{${token}"s":${streamVersion},${words}"r":[${described.join(",")}]}`);
}
