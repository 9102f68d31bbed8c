/** Everything that the slot store does to a disk, so that a test can stand in for a disk that fails. No policy lives here. */
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";

export interface StoreFile {
  /** Fills the pieces one after the other. Bytes read; 0 at the end of the file. */
  readv(pieces: readonly Uint8Array[], position: number): Promise<number>;
  /** Bytes written; fewer than given when the disk is full. */
  writev(pieces: readonly Uint8Array[], position: number): Promise<number>;
  truncate(bytes: number): Promise<void>;
  /** Returns once content and size are on the disk. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface PathStat {
  readonly size: number;
  readonly mtimeMs: number;
  /** Tells one file or folder from another that took its path. */
  readonly identity: string;
}

/** Errors are those of node:fs, with their codes. */
export interface FileLayer {
  /** `w` makes the file or empties it. */
  open(path: string, flags: "r" | "r+" | "w"): Promise<StoreFile>;
  readFile(path: string): Promise<Uint8Array>;
  stat(path: string): Promise<PathStat>;
  list(folder: string): Promise<readonly string[]>;
  makeFolder(path: string, options?: { readonly recursive: boolean }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** With all that is in it; nothing when there is none. */
  remove(path: string): Promise<void>;
  /** Makes new, renamed and removed names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Bytes that the disk has left. */
  freeBytes(path: string): Promise<number>;
}

export const nodeFileLayer: FileLayer = {
  async open(path, flags) {
    const handle = await open(path, flags, 0o600);
    return {
      readv: async (pieces, position) => (await handle.readv([...pieces], position)).bytesRead,
      writev: async (pieces, position) => (await handle.writev([...pieces], position)).bytesWritten,
      truncate: (bytes) => handle.truncate(bytes),
      datasync: () => handle.datasync(),
      close: () => handle.close(),
    };
  },
  readFile: async (path) => new Uint8Array(await readFile(path)),
  async stat(path) {
    const { size, mtimeMs, dev, ino } = await stat(path);
    return { size, mtimeMs, identity: `${dev}:${ino}` };
  },
  list: (folder) => readdir(folder),
  makeFolder: async (path, options) => void (await mkdir(path, { recursive: options?.recursive ?? false, mode: 0o700 })),
  rename,
  remove: (path) => rm(path, { recursive: true, force: true }),
  async syncFolder(path) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};
