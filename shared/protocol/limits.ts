/** The numeric limits of the protocol, each with its source in docs/PROTOCOL.md. No IO. */

/** Smallest block size a request may name, in bytes (section 2). */
export const MIN_BLOCK_SIZE_BYTES = 256;
/** Largest block size a request may name, in bytes (section 2). */
export const MAX_BLOCK_SIZE_BYTES = 131_072;
/** Most decoded payload bytes one GetStream request is answered with (section 2). */
export const MAX_RESPONSE_BYTES = 131_072;
/** Largest block offset a request may name, in blocks (section 2). */
export const MAX_BLOCK_OFFSET = 98_304;
/** Largest block count a request may name (section 2). */
export const MAX_BLOCK_COUNT = 98_304;
/** Longest block bitmap, in bytes: 98,304 bits (section 2). */
export const MAX_BITMAP_BYTES = 12_288;
/** Most block checksums in one message: 65,536 bytes, so that their hex digits fit a packet (section 3). */
export const MAX_CHECKSUMS_PER_MESSAGE = 16_384;
/** Longest client token, in UTF-8 bytes (section 2). */
export const MAX_CLIENT_TOKEN_BYTES = 64;

/** Largest file id; the smallest is 0 (section 1). */
export const MAX_FILE_ID = 255;
/** Largest stream version; the next one is refused (section 1). */
export const MAX_STREAM_VERSION = 65_535;
/** Most files in one stream; the least is 1 (section 1). */
export const MAX_FILES_PER_STREAM = 50;
/** Largest file by default, in bytes: the "2 MB" of the API reference (section 1). */
export const DEFAULT_MAX_FILE_BYTES = 2_097_152;
/** The highest value the file limit can be configured to, in bytes: the developer guide's "24 MB" (section 1). */
export const HIGHEST_MAX_FILE_BYTES = 25_165_824;
/** How long a deleted stream id keeps its version, in milliseconds: 90 days (section 1). */
export const RESURRECTION_WINDOW_MS = 90 * 24 * 60 * 60 * 1000;

/** Largest MQTT packet a broker accepts, in bytes, fixed header included (section 2). */
export const MAX_PACKET_BYTES = 262_144;

/** Lowest pace of a thing, in bytes a second: its smallest block takes a quarter of one (ours). */
export const LOWEST_PACE = 1024;
/** Highest pace of a thing, in bytes a second: above, timers of a millisecond would not hold it (ours). */
export const HIGHEST_PACE = 16 * 1024 * 1024;
