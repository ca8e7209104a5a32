/** Two projects: pure and short tests first, then those that start servers and processes, so that neither starves. */
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/support/closing-line-reporter.ts";

export default defineConfig({
  test: {
    reporters: ["default", new ClosingLineReporter()],
    slowTestThreshold: 5_000,
    projects: [
      {
        extends: true,
        test: {
          name: "core",
          include: ["test/{unit,golden,property,sim}/**/*.test.ts"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{unit,golden,property,sim}/**"],
          sequence: { groupOrder: 1 },
        },
      },
    ],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    allowOnly: false,
  },
});
