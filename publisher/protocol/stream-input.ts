/** The inputs of the five stream operations: what a request must look like to be one. No IO. */
import { MAX_FILE_ID, MAX_FILES_PER_STREAM } from "../../shared/protocol/limits.ts";
import { invalidRequest } from "./api-exception.ts";
import { asInteger, asList, asMap, asText, type JsonMap, optional, type TextRule } from "./json-fields.ts";
import { describeValue } from "./quote.ts";
import type { S3Location, StreamTag } from "./stream.ts";
import { parseTags } from "./tags.ts";

/** One file as a caller names it. */
export interface FileInput {
  /** 0-255. */
  readonly fileId: number;
  readonly s3Location: S3Location;
}

/** A valid CreateStream request. */
export interface CreateStreamInput {
  readonly streamId: string;
  readonly description?: string;
  readonly files: readonly FileInput[];
  readonly roleArn: string;
  readonly tags: readonly StreamTag[];
}

/** A valid UpdateStream request; what is absent keeps its value. */
export interface UpdateStreamInput {
  readonly streamId: string;
  readonly description?: string;
  readonly files?: readonly FileInput[];
  readonly roleArn?: string;
}

/** A valid ListStreams request. */
export interface ListStreamsInput {
  /** 1-250. */
  readonly maxResults: number;
  readonly isAscendingOrder: boolean;
  readonly nextToken?: string;
}

/** How many streams a ListStreams page has when the caller does not say. */
const DEFAULT_MAX_RESULTS = 25;
/** The most streams a ListStreams page may be asked for. */
const HIGHEST_MAX_RESULTS = 250;

const STREAM_ID: TextRule = { min: 1, max: 128, alphabet: { character: /[a-zA-Z0-9_-]/, pattern: "[a-zA-Z0-9_-]+" } };
const DESCRIPTION: TextRule = { min: 1, max: 2028, alphabet: { character: /[^\p{C}]/u, pattern: "[^\\p{C}]+" } };
const ROLE_ARN: TextRule = { min: 20, max: 2048 };
/** S3's own ends: no store has an object past them. */
const BUCKET: TextRule = { min: 1, max: 255 };
const KEY: TextRule = { min: 1, max: 1024 };
const VERSION: TextRule = { min: 0, max: 1024 };

/** Parses a stream id: 1-128 of `[a-zA-Z0-9_-]`. */
export function parseStreamId(value: string): string {
  return asText(value, "streamId", STREAM_ID);
}

/** Parses the path and body of CreateStream (docs/PROTOCOL.md section 1). Throws ApiException. */
export function parseCreateStream(streamIdText: string, body: unknown): CreateStreamInput {
  const streamId = parseStreamId(streamIdText);
  const map = asMap(body ?? {}, "the request body");
  const description = parseDescription(map);
  const files = parseFiles(map.files);
  const roleArn = asText(map.roleArn, "roleArn", ROLE_ARN);
  const tags = optional(map.tags, parseTags) ?? [];
  return { streamId, ...(description === undefined ? {} : { description }), files, roleArn, tags };
}

/** Parses the path and body of UpdateStream (docs/PROTOCOL.md section 1). Throws ApiException. */
export function parseUpdateStream(streamIdText: string, body: unknown): UpdateStreamInput {
  const streamId = parseStreamId(streamIdText);
  const map = asMap(body ?? {}, "the request body");
  const description = parseDescription(map);
  const files = optional(map.files, parseFiles);
  const roleArn = optional(map.roleArn, (value) => asText(value, "roleArn", ROLE_ARN));
  return {
    streamId,
    ...(description === undefined ? {} : { description }),
    ...(files === undefined ? {} : { files }),
    ...(roleArn === undefined ? {} : { roleArn }),
  };
}

/** Parses the query of ListStreams: maxResults 1-250 (default 25), isAscendingOrder (default false: newest first). */
export function parseListStreams(query: JsonMap): ListStreamsInput {
  const maxResults = query.maxResults;
  const order = query.isAscendingOrder;
  const nextToken = query.nextToken;
  if (order !== undefined && order !== "true" && order !== "false") {
    throw invalidRequest(`isAscendingOrder must be true or false; it is ${describeValue(order)}`);
  }
  if (nextToken !== undefined && typeof nextToken !== "string") {
    throw invalidRequest("nextToken must be given once");
  }
  return {
    maxResults: maxResults === undefined ? DEFAULT_MAX_RESULTS : parseMaxResults(maxResults),
    isAscendingOrder: order === "true",
    ...(nextToken === undefined ? {} : { nextToken }),
  };
}

function parseMaxResults(value: unknown): number {
  const isDigits = typeof value === "string" && /^[0-9]{1,9}$/.test(value);
  return asInteger(isDigits ? Number(value) : value, "maxResults", 1, HIGHEST_MAX_RESULTS);
}

function parseDescription(map: JsonMap): string | undefined {
  return optional(map.description, (value) => asText(value, "description", DESCRIPTION));
}

function parseFiles(value: unknown): readonly FileInput[] {
  const list = asList(value, "files");
  if (list.length < 1 || list.length > MAX_FILES_PER_STREAM) {
    throw invalidRequest(`files must have 1 to ${MAX_FILES_PER_STREAM} items; it has ${list.length}`);
  }
  const firstIndexById = new Map<number, number>();
  return list.map((item, index) => {
    const file = parseFile(item, `files[${index}]`);
    const firstIndex = firstIndexById.get(file.fileId);
    if (firstIndex !== undefined) {
      const where = `files[${firstIndex}] and files[${index}]`;
      throw invalidRequest(`fileId must be unique in a stream; ${where} both have fileId ${file.fileId}`);
    }
    firstIndexById.set(file.fileId, index);
    return file;
  });
}

function parseFile(value: unknown, field: string): FileInput {
  const map = asMap(value, field);
  const fileId = asInteger(map.fileId, `${field}.fileId`, 0, MAX_FILE_ID);
  const location = asMap(map.s3Location, `${field}.s3Location`);
  const bucket = asText(location.bucket, `${field}.s3Location.bucket`, BUCKET);
  const key = asText(location.key, `${field}.s3Location.key`, KEY);
  const version = optional(location.version, (text) => asText(text, `${field}.s3Location.version`, VERSION));
  return { fileId, s3Location: { bucket, key, ...(version === undefined || version === "" ? {} : { version }) } };
}
