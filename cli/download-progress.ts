/** Shows how far a download is: a bar on a terminal, a line now and then elsewhere. */
import cliProgress from "cli-progress";
import type { FileProgress } from "../device/protocol/session-types.ts";
import { tell } from "./terminal.ts";

/** Takes the progress of the files of one download, in order. */
export interface DownloadProgress {
  show(progress: FileProgress): void;
  /** Leaves the cursor on a line of its own. */
  stop(): void;
}

/** Share of a file after which a further line is due. */
const LINE_STEP = 0.25;

/** Chooses by what stderr is; `nameOf` gives the label of a file. */
export function showDownload(nameOf: (fileId: number) => string): DownloadProgress {
  return process.stderr.isTTY ? showBar(nameOf) : showLines(nameOf);
}

function showBar(nameOf: (fileId: number) => string): DownloadProgress {
  let current: number | undefined;
  let bar: cliProgress.SingleBar | undefined;
  return {
    show(progress) {
      if (progress.fileId !== current) {
        bar?.stop();
        current = progress.fileId;
        bar = new cliProgress.SingleBar({
          format: "{name} {bar} {percentage}% | {value}/{total} blocks | {duration_formatted}",
          barCompleteChar: "#",
          barIncompleteChar: "-",
          stream: process.stderr,
          hideCursor: true,
          formatBar: cliProgress.Format.BarFormat,
        });
        bar.start(progress.blocks, progress.heldBlocks, { name: nameOf(progress.fileId) });
      }
      bar?.update(progress.heldBlocks);
    },
    stop: () => bar?.stop(),
  };
}

function showLines(nameOf: (fileId: number) => string): DownloadProgress {
  let current: number | undefined;
  let nextShare = 0;
  return {
    show({ fileId, heldBlocks, blocks }) {
      if (fileId !== current) {
        current = fileId;
        nextShare = LINE_STEP;
      }
      const share = heldBlocks / blocks;
      if (share < nextShare) return;
      nextShare = (Math.floor(share / LINE_STEP) + 1) * LINE_STEP;
      tell(`${nameOf(fileId)}: ${heldBlocks} of ${blocks} blocks (${Math.floor(share * 100)} %)`);
    },
    stop() {},
  };
}
