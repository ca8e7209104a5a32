/** Markup in which every text is escaped unless it was made by this tag. No IO. */

/** Markup that is safe to stand in a page. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What may stand in a template: texts and numbers are escaped, markup and lists of it are taken as they are. */
export type HtmlPart = string | number | Html | readonly Html[];

/** Makes markup of a template. */
export function html(texts: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return new Html(texts.map((text, index) => text + markupOf(parts[index] ?? "")).join(""));
}

/** JSON that may stand in a script element: no `<`, so that no text in it can end the element. */
export function scriptJson(value: unknown): Html {
  return new Html(withoutTurns(JSON.stringify(value)).replaceAll("<", "\\u003c"));
}

function markupOf(part: HtmlPart): string {
  if (part instanceof Html) return part.markup;
  if (typeof part === "object") return part.map((item) => item.markup).join("");
  return escapeText(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeText(text: string): string {
  return withoutTurns(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** Takes the control characters that turn the direction of text, which could disguise a name. */
function withoutTurns(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
