/**
 * A disk in memory that fails as disks do. Until it is flushed, a write may reach the platter in part, sector by sector and in any
 * order; names of a folder, until the folder is flushed, one by one or not at all. A flush that fails has lost what it could not write,
 * and the next one says nothing of it. It can be full, fail for once, lose power at any call, or vanish.
 */
import type { FileLayer, PathStat, StoreFile } from "@ppio/provider";

const SECTOR_BYTES = 512;

/** A number of [0, below). */
export type Draw = (below: number) => number;

interface FileNode {
  readonly kind: "file";
  readonly id: number;
  now: Uint8Array;
  durable: Uint8Array;
  /** What was written or cut since the last flush, in order. */
  pending: ({ readonly at: number; readonly bytes: Uint8Array } | { readonly cutTo: number })[];
}

interface FolderNode {
  readonly kind: "folder";
  readonly id: number;
  now: Map<string, Node>;
  durable: Map<string, Node>;
  pending: ((names: Map<string, Node>) => void)[];
}

type Node = FileNode | FolderNode;

export interface Faults {
  /** One call in so many fails with EIO; 0 for none. */
  readonly failOneIn: number;
  /** One write in so many finds the disk full, and one takes a part only; 0 for none. */
  readonly fullOneIn: number;
}

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class FaultyDisk implements FileLayer {
  readonly #draw: Draw;
  readonly #faults: Faults;
  readonly #root: FolderNode;
  #ids = 1;
  /** Calls until power fails; negative: never. */
  #callsLeft = -1;
  calls = 0;
  isDown = false;
  hasVanished = false;

  constructor(draw: Draw, faults: Faults = { failOneIn: 0, fullOneIn: 0 }, root?: FolderNode) {
    this.#draw = draw;
    this.#faults = faults;
    this.#root = root ?? { kind: "folder", id: 0, now: new Map(), durable: new Map(), pending: [] };
  }

  failPowerAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  /** The disk as it is found when power is back. */
  afterPowerCut(faults: Faults = this.#faults): FaultyDisk {
    this.isDown = true;
    return new FaultyDisk(this.#draw, faults, this.#settle(this.#root) as FolderNode);
  }

  #settle(node: Node): Node {
    if (node.kind === "file") {
      let bytes: Uint8Array = node.durable.slice();
      for (const change of node.pending) bytes = "cutTo" in change ? this.#maybeCut(bytes, change.cutTo) : this.#tear(bytes, change);
      return { kind: "file", id: node.id, now: bytes.slice(), durable: bytes, pending: [] };
    }
    const names = new Map(node.durable);
    for (const change of node.pending) if (this.#draw(2) === 0) change(names);
    const settled = new Map([...names].map(([name, child]) => [name, this.#settle(child)] as const));
    return { kind: "folder", id: node.id, now: new Map(settled), durable: settled, pending: [] };
  }

  #maybeCut(bytes: Uint8Array, to: number): Uint8Array {
    return this.#draw(2) === 0 ? bytes.slice(0, to) : bytes;
  }

  /** Any of the write's sectors may have arrived; where a later one did, earlier ones that did not are zeros. */
  #tear(bytes: Uint8Array, { at, bytes: written }: { readonly at: number; readonly bytes: Uint8Array }): Uint8Array {
    let result = bytes;
    for (let from = 0; from < written.length; from += SECTOR_BYTES) {
      if (this.#draw(2) === 0) continue;
      const part = written.subarray(from, from + SECTOR_BYTES);
      result = put(result, at + from, part);
    }
    return result;
  }

  /** Every call of the store passes here; other writers may come between. */
  async #enter(isWrite = false): Promise<void> {
    for (let turns = this.#draw(3); turns > 0; turns -= 1) await Promise.resolve();
    this.calls += 1;
    if (this.#callsLeft === 0) this.isDown = true;
    if (this.#callsLeft > 0) this.#callsLeft -= 1;
    if (this.isDown) throw errno("EIO");
    if (this.hasVanished) throw errno("ENOENT");
    if (isWrite && this.#faults.fullOneIn > 0 && this.#draw(this.#faults.fullOneIn) === 0) throw errno("ENOSPC");
    if (this.#faults.failOneIn > 0 && this.#draw(this.#faults.failOneIn) === 0) throw errno("EIO");
  }

  /** Of a write: a disk that has become full may take a part of it without an error. */
  #bytesTaken(length: number): number {
    const isFull = this.#faults.fullOneIn > 0 && this.#draw(this.#faults.fullOneIn) === 0;
    return isFull ? this.#draw(length + 1) : length;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) node = node?.kind === "folder" ? node.now.get(name) : undefined;
    return node;
  }

  #folder(path: string): FolderNode {
    const node = this.#find(path);
    if (node?.kind !== "folder") throw errno("ENOENT");
    return node;
  }

  #place(path: string): { readonly folder: FolderNode; readonly name: string } {
    const at = path.lastIndexOf("/");
    return { folder: this.#folder(path.slice(0, at)), name: path.slice(at + 1) };
  }

  #change(folder: FolderNode, change: (names: Map<string, Node>) => void): void {
    change(folder.now);
    folder.pending.push(change);
  }

  async open(path: string, flags: "r" | "r+" | "w"): Promise<StoreFile> {
    await this.#enter(flags === "w");
    const { folder, name } = this.#place(path);
    let node = folder.now.get(name);
    if (flags === "w" && node === undefined) {
      const made: FileNode = { kind: "file", id: this.#ids++, now: new Uint8Array(), durable: new Uint8Array(), pending: [] };
      this.#change(folder, (names) => void names.set(name, made));
      node = made;
    }
    if (node?.kind !== "file") throw errno("ENOENT");
    if (flags === "w") cut(node, 0);
    return this.#handle(node);
  }

  #handle(node: FileNode): StoreFile {
    return {
      readv: async (pieces, position) => {
        await this.#enter();
        let done = 0;
        for (const piece of pieces) {
          const part = node.now.subarray(position + done, position + done + piece.length);
          piece.set(part);
          done += part.length;
        }
        return done;
      },
      writev: async (pieces, position) => {
        await this.#enter(true);
        const given = new Uint8Array(Buffer.concat(pieces));
        const bytes = given.subarray(0, this.#bytesTaken(given.length));
        node.now = put(node.now, position, bytes);
        node.pending.push({ at: position, bytes });
        return bytes.length;
      },
      truncate: async (bytes) => {
        await this.#enter();
        cut(node, bytes);
      },
      datasync: async () => {
        try {
          await this.#enter();
        } catch (error) {
          // Lost, and the system believes that it is written.
          if (!this.isDown) node.pending = [];
          throw error;
        }
        // What an earlier failed flush lost stays lost, though reads still show it.
        for (const change of node.pending) {
          node.durable = "cutTo" in change ? node.durable.slice(0, change.cutTo) : put(node.durable, change.at, change.bytes);
        }
        node.pending = [];
      },
      close: async () => undefined,
    };
  }

  async readFile(path: string): Promise<Uint8Array> {
    await this.#enter();
    const node = this.#find(path);
    if (node?.kind !== "file") throw errno("ENOENT");
    return node.now.slice();
  }

  async stat(path: string): Promise<PathStat> {
    await this.#enter();
    const node = this.#find(path);
    if (node === undefined) throw errno("ENOENT");
    return { size: node.kind === "file" ? node.now.length : 0, mtimeMs: 0, identity: String(node.id) };
  }

  async list(folder: string): Promise<readonly string[]> {
    await this.#enter();
    return [...this.#folder(folder).now.keys()];
  }

  async makeFolder(path: string, options?: { readonly recursive: boolean }): Promise<void> {
    await this.#enter(true);
    if (this.#find(path) !== undefined) {
      if (options?.recursive === true) return;
      throw errno("EEXIST");
    }
    const { folder, name } = this.#place(path);
    const made: FolderNode = { kind: "folder", id: this.#ids++, now: new Map(), durable: new Map(), pending: [] };
    this.#change(folder, (names) => void names.set(name, made));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#enter();
    const source = this.#place(from);
    const target = this.#place(to);
    const node = source.folder.now.get(source.name);
    if (node === undefined) throw errno("ENOENT");
    if (source.folder !== target.folder) throw errno("EXDEV");
    this.#change(source.folder, (names) => {
      names.delete(source.name);
      names.set(target.name, node);
    });
  }

  async remove(path: string): Promise<void> {
    await this.#enter();
    const { folder, name } = this.#place(path);
    if (folder.now.has(name)) this.#change(folder, (names) => void names.delete(name));
  }

  async syncFolder(path: string): Promise<void> {
    await this.#enter();
    const folder = this.#folder(path);
    for (const change of folder.pending) change(folder.durable);
    folder.pending = [];
  }

  async freeBytes(): Promise<number> {
    await this.#enter();
    return 1 << 30;
  }

  /** Rots one bit of a file for good. */
  flipBit(path: string, at: number): void {
    const node = this.#find(path);
    if (node?.kind !== "file") throw errno("ENOENT");
    for (const bytes of [node.now, node.durable]) bytes[at] = (bytes[at] ?? 0) ^ 1;
  }
}

function cut(node: FileNode, to: number): void {
  node.now = node.now.slice(0, to);
  node.pending.push({ cutTo: to });
}

function put(into: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(Math.max(into.length, at + bytes.length));
  result.set(into);
  result.set(bytes, at);
  return result;
}
