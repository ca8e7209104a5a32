/** Which files of a stream are to be fetched, as its description says, and which of them are in place. No IO. */
import type { DescribedFile, Description } from "../../shared/protocol/messages.ts";

/** The files that are not in place yet, in the order of the description. */
export class FileQueue {
  /** The newest description. */
  description: Description | undefined;
  private readonly wantedFileId: number | undefined;
  private pending: readonly DescribedFile[] = [];
  /** Files of the described version that are in place. */
  private readonly finished = new Set<number>();

  /** Without a file id, every file is wanted. */
  constructor(wantedFileId: number | undefined) {
    this.wantedFileId = wantedFileId;
  }

  /** The file that is to be fetched now. */
  get first(): DescribedFile | undefined {
    return this.pending[0];
  }

  /** Says whether a description is of the version that is being fetched. */
  isSameVersion({ streamVersion }: Description): boolean {
    return this.description?.streamVersion === streamVersion;
  }

  /** Starts from a description; says whether it has a wanted file. */
  take(description: Description): boolean {
    // Another version may have other bytes under the same file ids: what is in place is looked at again.
    if (!this.isSameVersion(description)) this.finished.clear();
    this.description = description;
    const wanted = description.files.filter(({ fileId }) => (this.wantedFileId ?? fileId) === fileId);
    this.pending = wanted.filter(({ fileId }) => !this.finished.has(fileId));
    return wanted.length > 0;
  }

  /** Notes that the first file is in place. */
  finishFirst(): void {
    if (this.first !== undefined) this.finished.add(this.first.fileId);
    this.pending = this.pending.slice(1);
  }
}
