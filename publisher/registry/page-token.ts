/** The page tokens of ListStreams: opaque to clients, a place in the order of creation to a registry. No IO. */
import { InvalidNextToken } from "./stream-registry.ts";

const TOKEN_TEXT = /^([ad])([1-9][0-9]{0,15})$/;

/** Formats the token for the page after the stream with this creation sequence, 1 and up. */
export function formatPageToken(sequence: number, isAscendingOrder: boolean): string {
  return Buffer.from(`${isAscendingOrder ? "a" : "d"}${sequence}`).toString("base64url");
}

/**
 * Parses a token into the creation sequence of the last stream already listed. Throws {@link InvalidNextToken} for
 * anything that {@link formatPageToken} does not give, and for a token of a listing in the other order.
 */
export function parsePageToken(token: string, isAscendingOrder: boolean): number {
  const match = TOKEN_TEXT.exec(Buffer.from(token, "base64url").toString("latin1"));
  const sequence = Number(match?.[2]);
  if (!Number.isSafeInteger(sequence) || formatPageToken(sequence, isAscendingOrder) !== token) {
    throw new InvalidNextToken("nextToken is not one that this server gave for a listing in this order");
  }
  return sequence;
}
