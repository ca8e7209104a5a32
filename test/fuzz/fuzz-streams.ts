/** What the fuzzer's publisher serves: streams whose files are sound, and one file for each way a store can fail. */
import {
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from "../../publisher/object-store/object-store.ts";
import type { S3Location, StreamFile, StreamRecord } from "../../publisher/protocol/stream.ts";
import type { RejectionCode } from "../../shared/protocol/rejection.ts";
import { makeFile } from "../support/broker.ts";
import { recordedFile, streamRecord } from "../support/publisher-stream.ts";

/** A file as the oracle knows it. */
export interface FuzzFile {
  readonly bytes: Uint8Array;
  /** What every request for it is refused with once it is found in order. */
  readonly refusal?: RejectionCode;
}

/** A stream as the oracle knows it. */
export interface FuzzStream {
  readonly streamVersion: number;
  readonly files: ReadonlyMap<number, FuzzFile>;
}

const FAILURES = new Map<number, readonly [ObjectStoreFailure, RejectionCode]>([
  [10, ["NotFound", "ResourceNotFound"]],
  [11, ["AccessDenied", "Unauthorized"]],
  [12, ["Changed", "ETagMismatch"]],
  [13, ["Unavailable", "InternalError"]],
  [14, ["TooLarge", "ETagMismatch"]],
  [15, ["VersionNotKept", "ResourceNotFound"]],
]);

const SIZES = new Map([
  [0, 131_073],
  [1, 1],
  [2, 1_000_003],
  [3, 25_165_824],
  [4, 0],
  [255, 4096],
]);

/** The streams by their id. */
export const FUZZ_STREAMS: ReadonlyMap<string, FuzzStream> = new Map([
  ["images", { streamVersion: 0, files: filesOf(SIZES) }],
  ["updated", { streamVersion: 65_535, files: filesOf(new Map([[0, 10_000]])) }],
  ["broken", { streamVersion: 1, files: filesOf(new Map([[0, 300], ...[...FAILURES.keys()].map(sizeOfBroken)])) }],
]);

/** The records of the streams. */
export function fuzzRecords(): StreamRecord[] {
  return [...FUZZ_STREAMS].map(([streamId, { streamVersion, files }]) =>
    streamRecord(
      [...files].map(([fileId, { bytes }]): StreamFile => {
        return recordedFile(bytes, { fileId, s3Location: { bucket: streamId, key: String(fileId) } });
      }),
      { streamId, streamVersion, description: "for the fuzzer" },
    ),
  );
}

/** A store that has the files, answers in another turn of the event loop, and fails as each file says. */
export class FuzzStore implements ObjectStore {
  private readonly etags: ReadonlyMap<string, string>;

  constructor(records: readonly StreamRecord[]) {
    this.etags = new Map(records.flatMap(({ files }) => files.map((file) => [nameOf(file.s3Location), file.etag])));
  }

  async head(location: S3Location) {
    const { bytes, etag } = this.find(location);
    return { sizeBytes: bytes.length, etag };
  }

  async read(location: S3Location) {
    const { bytes, etag } = this.find(location);
    return { bytes, sizeBytes: bytes.length, etag };
  }

  async close(): Promise<void> {}

  private find(location: S3Location): { bytes: Uint8Array; etag: string } {
    const failure = location.bucket === "broken" ? FAILURES.get(Number(location.key))?.[0] : undefined;
    if (failure !== undefined) throw new ObjectStoreError(failure, `${nameOf(location)}: ${failure}`);
    const file = FUZZ_STREAMS.get(location.bucket)?.files.get(Number(location.key));
    const etag = this.etags.get(nameOf(location));
    if (file === undefined || etag === undefined) throw new Error(`the fuzzer has no object ${nameOf(location)}`);
    return { bytes: file.bytes, etag };
  }
}

function filesOf(sizes: ReadonlyMap<number, number>): ReadonlyMap<number, FuzzFile> {
  const entries = [...sizes].map(([fileId, sizeBytes]): [number, FuzzFile] => {
    const refusal = FAILURES.get(fileId)?.[1];
    return [fileId, { bytes: makeFile(sizeBytes), ...(refusal !== undefined && { refusal }) }];
  });
  return new Map(entries);
}

function sizeOfBroken(fileId: number): [number, number] {
  return [fileId, 1000 + fileId];
}

function nameOf({ bucket, key }: S3Location): string {
  return `${bucket}/${key}`;
}
