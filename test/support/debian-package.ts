/** Says whether the tools of a Debian package are on this machine, and which package to install when they are not. */
import { existsSync } from "node:fs";

/**
 * True when every path in `toolPaths` exists. Otherwise it throws in CI (`CI` set), where nothing may be skipped, and elsewhere prints what
 * to install and returns false: pass it to `describe.skipIf(!...)`.
 */
export function hasDebianPackages(packageNames: readonly string[], toolPaths: readonly string[]): boolean {
  const missing = toolPaths.filter((path) => !existsSync(path));
  if (missing.length === 0) return true;
  const install = `apt-get install -y --no-install-recommends ${packageNames.join(" ")}`;
  const message = `${missing.join(", ")} missing: ${install}`;
  if (process.env.CI) throw new Error(message);
  console.warn(`skipped: ${message}`);
  return false;
}
