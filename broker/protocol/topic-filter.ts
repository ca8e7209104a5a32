/** MQTT topic filters: what makes one valid and which topics it matches (MQTT 3.1.1 section 4.7). No IO. */

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/** Says whether `filter` is well formed: not empty, `+` a whole level, `#` a whole level and the last one, no NUL. */
export function isTopicFilter(filter: string): boolean {
  if (filter === "" || filter.includes("\0")) return false;
  const levels = filter.split("/");
  return levels.every((level, index) => {
    if (level === "#") return index === levels.length - 1;
    return level === "+" || !(level.includes("#") || level.includes("+"));
  });
}

/**
 * Says whether `filter` matches `topic`; both must be well formed. A filter that begins with a wildcard does not match
 * a topic that begins with `$`; `a/#` matches `a` too.
 */
export function matchesTopic(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  if (topic.charCodeAt(0) === DOLLAR && (first === PLUS || first === HASH)) return false;
  let at = 0;
  for (let index = 0; index < filter.length; index++) {
    const code = filter.charCodeAt(index);
    if (code === HASH) return true;
    if (code === PLUS) {
      while (at < topic.length && topic.charCodeAt(at) !== SLASH) at++;
    } else if (at < topic.length && topic.charCodeAt(at) === code) {
      at++;
    } else {
      return at === topic.length && index === filter.length - 2 && filter.endsWith("/#");
    }
  }
  return at === topic.length;
}
