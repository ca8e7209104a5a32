/** How a value that a client sent appears in a message: quoted, escaped and cut short. No IO. */

const LONGEST_QUOTED_CHARACTERS = 64;

/** Quotes a text for a message as JSON would, cut after 64 characters. */
export function quote(value: string): string {
  const characters = [...value.slice(0, 2 * LONGEST_QUOTED_CHARACTERS)];
  const isCut = value.length > 2 * LONGEST_QUOTED_CHARACTERS || characters.length > LONGEST_QUOTED_CHARACTERS;
  return JSON.stringify(isCut ? `${characters.slice(0, LONGEST_QUOTED_CHARACTERS).join("")}...` : value);
}

/** Describes any JSON value for a message: a scalar by its value, a list or a map by its kind. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (value === undefined || value === null) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return String(value);
}
