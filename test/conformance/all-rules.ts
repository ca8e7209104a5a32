/** All the rules, in the order in which they run. */
import type { Rule } from "./rule.ts";
import { CONNECTION_RULES } from "./rules/connections.ts";
import { DATA_RULES } from "./rules/data-bytes.ts";
import { DECODING_RULES } from "./rules/decoding.ts";
import { DESCRIPTION_RULES } from "./rules/descriptions.ts";
import { LIMIT_RULES } from "./rules/limits.ts";
import { PROFILE_RULES } from "./rules/profiles.ts";
import { REJECTION_RULES } from "./rules/rejections.ts";
import { SELECTION_RULES } from "./rules/selection.ts";
import { SHAPE_RULES } from "./rules/shape.ts";
import { TOKEN_RULES } from "./rules/tokens.ts";
import { TOPIC_RULES } from "./rules/topics.ts";

/** Every rule; an id names one rule only. */
export const ALL_RULES: readonly Rule[] = [
  ...TOPIC_RULES,
  ...DECODING_RULES,
  ...SHAPE_RULES,
  ...TOKEN_RULES,
  ...LIMIT_RULES,
  ...SELECTION_RULES,
  ...DATA_RULES,
  ...REJECTION_RULES,
  ...DESCRIPTION_RULES,
  ...PROFILE_RULES,
  ...CONNECTION_RULES,
];

/** The rules whose id is `id` or begins with `id` and a dot; all for none. */
export function chooseRules(ids: readonly string[]): readonly Rule[] {
  if (ids.length === 0) return ALL_RULES;
  return ALL_RULES.filter((rule) => ids.some((id) => rule.id === id || rule.id.startsWith(`${id}.`)));
}
