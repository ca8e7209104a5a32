/** Where a fleet's report and its images go: the places are looked at before the run, so that none ends without its report. */
import { access, constants, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { systemFileSystem } from "../../device/file-system.ts";
import type { FleetReport } from "../../device/fleet/fleet-report.ts";
import { renderReportHtml } from "../../device/fleet/report/report-html.ts";
import { OtaError } from "../../shared/protocol/errors.ts";
import { tell } from "../terminal.ts";
import type { FleetFlags } from "./fleet-flags.ts";

/** The report's files. */
export interface ReportFiles {
  /** Writes what was asked for. */
  write(report: FleetReport): Promise<void>;
}

/** Makes the directory for images. Rejects with OtaError `OutputNotWritable`, here and not for each device. */
export async function prepareOut({ out }: FleetFlags): Promise<void> {
  if (out === undefined) return;
  try {
    await systemFileSystem.createDirectory(resolve(out));
    await access(out, constants.W_OK);
  } catch (cause) {
    throw notWritable("--out", out, cause);
  }
}

/** Checks the places of the report. Rejects with OtaError `OutputNotWritable`. */
export async function prepareReports({ report: jsonPath, html: htmlPath }: FleetFlags): Promise<ReportFiles> {
  await checkPlace("--report", jsonPath);
  await checkPlace("--html", htmlPath);
  return {
    async write(report) {
      await writeReport("--report", jsonPath, () => `${JSON.stringify(report, null, 2)}\n`);
      await writeReport("--html", htmlPath, () => renderReportHtml(report));
    },
  };
}

async function checkPlace(flag: string, path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await access(dirname(resolve(path)), constants.W_OK);
    const existing = await stat(path).catch(() => undefined);
    if (existing?.isDirectory()) throw new Error("it is a directory");
    if (existing !== undefined) await access(path, constants.W_OK);
  } catch (cause) {
    throw notWritable(flag, path, cause);
  }
}

async function writeReport(flag: string, path: string | undefined, render: () => string): Promise<void> {
  if (path === undefined) return;
  await writeFile(path, render()).catch((cause: unknown) => {
    throw notWritable(flag, path, cause);
  });
  tell(`report written to ${path}`);
}

function notWritable(flag: string, path: string, cause: unknown): OtaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new OtaError("OutputNotWritable", `${flag} ${path} cannot be written: ${code ?? message}`, { cause });
}
