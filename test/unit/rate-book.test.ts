/** What a thing may use of its rate, in small histories. */
import { describe, expect, it } from "vitest";
import { RateBook } from "../../publisher/protocol/rate-book.ts";

const RATE = { perSecond: 1000, burst: 100, largest: 500 };

function accountsOf(book: RateBook): number {
  return (Reflect.get(book, "accounts") as ReadonlyMap<string, unknown>).size;
}

describe("a thing", () => {
  it("begins with the burst, or with what it wants at once when that is more", () => {
    const book = new RateBook(RATE);
    expect([1, 100, 101, 500].map((wanted) => book.credit("a", wanted, 0))).toEqual([100, 100, 101, 500]);
    expect(book.waitMs("a", 500, 0)).toBe(0);
  });

  it("earns what it used, no more than the burst while it wants little, and what it wants when that is more", () => {
    const book = new RateBook(RATE);
    book.use("a", 100, 1, 0);
    expect(book.credit("a", 1, 0)).toBe(0);
    expect(book.waitMs("a", 50, 0)).toBe(50);
    expect(book.credit("a", 1, 50)).toBe(50);
    expect(book.waitMs("a", 50, 50)).toBe(0);
    expect(book.credit("a", 1, 400)).toBe(100);
    expect(book.waitMs("a", 500, 400)).toBe(100);
    expect(book.credit("a", 500, 499)).toBe(499);
  });

  it("has a rate of its own", () => {
    const book = new RateBook(RATE);
    book.use("a", 100, 1, 0);
    expect(book.credit("b", 1, 0)).toBe(100);
  });
});

it("keeps nothing of who could have saved up everything since", () => {
  const book = new RateBook(RATE);
  for (let index = 0; index < 1000; index++) book.use(`thing-${index}`, 1, 1, index);
  expect(accountsOf(book)).toBe(500);
  book.use("last", 1, 1, 1498);
  expect(accountsOf(book)).toBe(2);
  book.use("last", 1, 1, 5000);
  expect(accountsOf(book)).toBe(1);
});
