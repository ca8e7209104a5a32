/** A vitest reporter that ends every run with one plain line, and fails a run in CI that skipped a test. */
import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/** How many tests ended in each way; errors outside a test count as failed. */
interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly TestCase[];
}

/**
 * Prints `N passed, N failed, N skipped` as the last line of the process, beside the reporter that tells the rest.
 * A file that does not load, a hook that throws and an unhandled error are one failure each, and so is a run that
 * ends with a non-zero status for any other reason. With `CI` set, skipped tests are listed and the status is 1.
 */
export class ClosingLineReporter implements Reporter {
  private tally: Tally | undefined;

  /** Arms the closing line; the process's exit is the one moment after which nobody prints. */
  onInit(): void {
    process.once("exit", (code) => {
      const { passed, failed, skipped } = this.tally ?? { passed: 0, failed: 0, skipped: [] };
      const unexplained = code !== 0 && failed === 0 && !refusesSkips(skipped);
      process.stdout.write(`${passed} passed, ${unexplained ? 1 : failed} failed, ${skipped.length} skipped\n`);
    });
  }

  /** Counts, and turns a skipped test into a failed run where nothing may be skipped. */
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    this.tally = count(modules, unhandledErrors.length);
    const { skipped } = this.tally;
    if (!refusesSkips(skipped)) return;
    process.exitCode = 1;
    console.error(`\nCI is set and ${skipped.length} tests were skipped:`);
    for (const test of skipped) console.error(`  ${nameOf(test)}`);
    console.error("");
  }
}

function count(modules: readonly TestModule[], unhandledErrorCount: number): Tally {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const outsideTests = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const errorCount = outsideTests.reduce((sum, owner) => sum + owner.errors().length, unhandledErrorCount);
  return {
    passed: tests.filter((test) => test.result().state === "passed").length,
    failed: tests.filter((test) => test.result().state === "failed").length + errorCount,
    skipped: tests.filter((test) => test.result().state === "skipped"),
  };
}

/** `CI` counts as set unless it is empty, "0" or "false". */
function refusesSkips(skipped: readonly TestCase[]): boolean {
  return skipped.length > 0 && !["", "0", "false"].includes(process.env.CI ?? "");
}

function nameOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" && result.note !== undefined ? ` (${result.note})` : "";
  return `${test.module.relativeModuleId} > ${test.fullName}${note}`;
}
