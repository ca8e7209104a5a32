/** A simulated disk that loses power: what was not synced survives in part, torn, as garbage, or not at all. */
import { dirname } from "node:path";
import type { FileSystem, OpenFile } from "../../device/file-system.ts";
import { type Random, randomFraction, randomInteger } from "../../shared/random.ts";

type Change = { kind: "write"; position: number; bytes: Uint8Array } | { kind: "truncate"; sizeBytes: number };

interface Inode {
  /** What a power cut leaves for certain. */
  durable: Uint8Array;
  /** Changes since, in order; `current` has them all. */
  pending: Change[];
  current: Uint8Array;
}

type NameChange =
  | { kind: "link"; path: string; inode: Inode }
  | { kind: "unlink"; path: string; inode: Inode }
  | { kind: "rename"; from: string; to: string; inode: Inode };

/** How a simulated disk behaves. */
export interface PowerCutDiskOptions {
  random: Random;
  /** Fails writes with ENOSPC beyond this many bytes in all files together. */
  capacityBytes?: number;
}

/** An error as a disk gives it, with the operating system's code. */
function diskError(code: string, path?: string): Error {
  return Object.assign(new Error(`${code}: simulated`), path === undefined ? { code } : { code, path });
}

/** A disk in memory. Directories are durable at once; names in them and bytes in files are not. */
export class PowerCutDisk implements FileSystem {
  capacityBytes: number;
  readonly #random: Random;
  #operationsLeft = Number.POSITIVE_INFINITY;
  readonly #locks = new Set<string>();
  #durableNames = new Map<string, Inode>();
  #names = new Map<string, Inode>();
  #pendingNames: NameChange[] = [];
  #era = 0;
  #hasPower = true;

  constructor(options: PowerCutDiskOptions) {
    this.#random = options.random;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the power is on; operations fail while it is off. */
  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** Takes the power away: open files and locks are gone, and of what was not synced an arbitrary part stays. */
  powerCut(): void {
    const inodes = new Set([...this.#names.values(), ...this.#durableNames.values()]);
    for (const change of this.#pendingNames) inodes.add(change.inode);
    for (const inode of inodes) this.#loseUnsynced(inode);
    for (const change of this.#pendingNames) if (this.#draw(0.5)) applyName(this.#durableNames, change);
    this.#pendingNames = [];
    this.#names = new Map(this.#durableNames);
    this.killProcess();
    this.#hasPower = false;
  }

  /** Takes the power away by itself during the given operation from now, 1 being the next. */
  cutDuringOperation(operation: number): void {
    this.#operationsLeft = operation;
  }

  /** Ends every user of the disk, as SIGKILL does: their files and locks are gone, what they wrote stays. */
  killProcess(): void {
    this.#era++;
    this.#locks.clear();
  }

  /** Gives the power back, and keeps it on. */
  restart(): void {
    this.#operationsLeft = Number.POSITIVE_INFINITY;
    this.#hasPower = true;
  }

  /** The bytes of a file as a reader sees them now; undefined when there is none. */
  peek(path: string): Uint8Array | undefined {
    return this.#names.get(path)?.current.slice();
  }

  /** Puts a durable file in place, or removes it. */
  put(path: string, bytes: Uint8Array | undefined): void {
    for (const names of [this.#names, this.#durableNames]) names.delete(path);
    if (bytes === undefined) return;
    const inode = { durable: bytes.slice(), pending: [], current: bytes.slice() };
    for (const names of [this.#names, this.#durableNames]) names.set(path, inode);
  }

  /** The paths of all files, sorted. */
  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  async createDirectory(): Promise<void> {
    this.#step(this.#era);
  }

  async openToRead(path: string): Promise<OpenFile | undefined> {
    this.#requirePower(this.#era);
    const inode = this.#names.get(path);
    return inode === undefined ? undefined : this.#openFile(inode);
  }

  async openToUpdate(path: string): Promise<OpenFile> {
    const inode = this.#names.get(path) ?? this.#createFile(path);
    this.#step(this.#era);
    return this.#openFile(inode);
  }

  async openEmpty(path: string): Promise<OpenFile> {
    this.#requirePower(this.#era);
    const inode = this.#names.get(path) ?? this.#createFile(path);
    change(inode, { kind: "truncate", sizeBytes: 0 });
    this.#step(this.#era);
    return this.#openFile(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) throw diskError("ENOENT", from);
    this.#changeName({ kind: "rename", from, to, inode });
    this.#step(this.#era);
  }

  async remove(path: string): Promise<void> {
    const inode = this.#names.get(path);
    if (inode !== undefined) this.#changeName({ kind: "unlink", path, inode });
    this.#step(this.#era);
  }

  async syncDirectory(path: string): Promise<void> {
    const era = this.#era;
    const due = this.#pendingNames.filter(
      (change) => dirname(change.kind === "rename" ? change.to : change.path) === path,
    );
    await Promise.resolve();
    this.#step(era);
    for (const change of due) applyName(this.#durableNames, change);
    this.#pendingNames = this.#pendingNames.filter((change) => !due.includes(change));
  }

  async lock(path: string): Promise<{ release(): Promise<void> } | { heldBy: string }> {
    if (this.#locks.has(path)) return { heldBy: "process 1" };
    this.#locks.add(path);
    const era = this.#era;
    return {
      release: async () => {
        if (era === this.#era) this.#locks.delete(path);
      },
    };
  }

  #createFile(path: string): Inode {
    const inode: Inode = { durable: new Uint8Array(), pending: [], current: new Uint8Array() };
    this.#changeName({ kind: "link", path, inode });
    return inode;
  }

  #changeName(nameChange: NameChange): void {
    this.#requirePower(this.#era);
    applyName(this.#names, nameChange);
    this.#pendingNames.push(nameChange);
  }

  #openFile(inode: Inode): OpenFile {
    const era = this.#era;
    return {
      write: (position, bytes) => {
        this.#requirePower(era);
        const growth = Math.max(0, position + bytes.length - inode.current.length);
        const fitting = Math.max(0, bytes.length - Math.max(0, this.#usedBytes() + growth - this.capacityBytes));
        change(inode, { kind: "write", position, bytes: bytes.slice(0, fitting) });
        this.#step(era);
        if (fitting < bytes.length) throw diskError("ENOSPC");
      },
      read: async (position, target) => {
        this.#requirePower(era);
        const bytes = inode.current.subarray(position, position + target.length);
        target.set(bytes);
        return bytes.length;
      },
      sizeBytes: async () => inode.current.length,
      truncate: async (sizeBytes) => {
        this.#requirePower(era);
        change(inode, { kind: "truncate", sizeBytes });
        this.#step(era);
      },
      syncData: async () => {
        const due = inode.pending.length;
        await Promise.resolve();
        this.#step(era);
        for (const done of inode.pending.splice(0, due)) inode.durable = applyChange(inode.durable, done);
      },
      close: async () => {},
    };
  }

  /** Counts an operation whose effects are pending; the power may go before it returns. */
  #step(era: number): void {
    this.#requirePower(era);
    if (--this.#operationsLeft > 0) return;
    this.powerCut();
    throw diskError("EIO");
  }

  #requirePower(era: number): void {
    if (era !== this.#era || !this.#hasPower) throw diskError("EIO");
  }

  #usedBytes(): number {
    return [...new Set(this.#names.values())].reduce((sum, inode) => sum + inode.current.length, 0);
  }

  #loseUnsynced(inode: Inode): void {
    for (const pending of inode.pending) {
      const survivor = this.#survivorOf(pending);
      if (survivor !== undefined) inode.durable = applyChange(inode.durable, survivor);
    }
    inode.pending = [];
    inode.current = inode.durable.slice();
  }

  /** Kept, lost, cut short, or with the space taken but zeros or garbage in place of the bytes. */
  #survivorOf(pending: Change): Change | undefined {
    const fate = randomInteger(this.#random, 0, 4);
    if (fate === 0) return undefined;
    if (fate === 1 || pending.kind === "truncate") return pending;
    const { position, bytes } = pending;
    const kept = randomInteger(this.#random, 0, bytes.length);
    if (fate === 2) return { ...pending, bytes: bytes.subarray(0, kept) };
    const torn = bytes.map((byte, index) => (index < kept ? byte : fate === 3 ? 0 : this.#random.uint32() & 0xff));
    return { kind: "write", position, bytes: torn };
  }

  #draw(probability: number): boolean {
    return randomFraction(this.#random) < probability;
  }
}

function change(inode: Inode, pending: Change): void {
  inode.pending.push(pending);
  inode.current = applyChange(inode.current, pending);
}

function applyChange(bytes: Uint8Array, pending: Change): Uint8Array {
  if (pending.kind === "truncate") {
    const truncated = new Uint8Array(pending.sizeBytes);
    truncated.set(bytes.subarray(0, pending.sizeBytes));
    return truncated;
  }
  const result = grow(bytes, Math.max(bytes.length, pending.position + pending.bytes.length));
  result.set(pending.bytes, pending.position);
  return result;
}

/** Room is taken twice over, so that a file that grows block by block is not copied with each of them. */
function grow(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  if (sizeBytes === bytes.length) return bytes;
  if (sizeBytes <= bytes.buffer.byteLength) return new Uint8Array(bytes.buffer, 0, sizeBytes);
  const result = new Uint8Array(new ArrayBuffer(2 * sizeBytes), 0, sizeBytes);
  result.set(bytes);
  return result;
}

/** Applies one change of names to a directory that may have missed the ones before it. */
function applyName(names: Map<string, Inode>, nameChange: NameChange): void {
  if (nameChange.kind === "link") {
    names.set(nameChange.path, nameChange.inode);
  } else if (nameChange.kind === "unlink") {
    if (names.get(nameChange.path) === nameChange.inode) names.delete(nameChange.path);
  } else {
    if (names.get(nameChange.from) === nameChange.inode) names.delete(nameChange.from);
    names.set(nameChange.to, nameChange.inode);
  }
}
