/** Files as sources and sinks of objects. What is written appears under its name only when it is whole. */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ObjectSource } from "@ppio/client";
import { freeLent, PpioError } from "@ppio/core";
import { diskError, isErrno, syncFolder } from "@ppio/daemon/files";

/** Gathered before they are written. */
const WRITE_BYTES = 1 << 20;

export interface OpenedSource {
  readonly source: ObjectSource;
  readonly name: string;
  close(): Promise<void>;
}

/** @throws NOT_FOUND, USAGE for what is no file */
export async function openSource(path: string): Promise<OpenedSource> {
  if (path === "-") return spoolStandardInput();
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) throw new PpioError("NOT_FOUND", `There is no file ${path}; check the path.`, { cause });
    throw diskError(cause, path);
  }
  const info = await handle.stat();
  if (!info.isFile()) {
    await handle.close();
    throw new PpioError("USAGE", `${path} is no regular file; name one, or "-" for standard input.`);
  }
  return { source: handleSource(handle, info.size, path), name: basename(path), close: () => handle.close() };
}

function handleSource(handle: FileHandle, sizeBytes: number, path: string): ObjectSource {
  return {
    sizeBytes,
    read: async (offset, length, room) => {
      try {
        const { bytesRead } = await handle.read(room, 0, length, offset);
        return room.subarray(0, bytesRead);
      } catch (cause) {
        throw diskError(cause, path);
      }
    },
  };
}

/** A put may read its source again, which a pipe cannot: it goes through a private temporary file. */
async function spoolStandardInput(): Promise<OpenedSource> {
  const dir = await mkdtemp(join(tmpdir(), "ppio-"));
  const path = join(dir, "input");
  try {
    await pipeline(process.stdin, createWriteStream(path, { mode: 0o600 }));
    const opened = await openSource(path);
    const close = async (): Promise<void> => {
      await opened.close();
      await rm(dir, { recursive: true, force: true });
    };
    return { ...opened, name: "standard-input", close };
  } catch (cause) {
    await rm(dir, { recursive: true, force: true });
    throw diskError(cause, path);
  }
}

/** Writes to a file aside and renames at the end; nothing is left behind when `bytes` fails. */
export async function writeWhole(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
  overwrite: boolean,
): Promise<void> {
  const there = await kindOf(path);
  if (there === "folder") throw new PpioError("USAGE", `${path} is a folder; name the file to write.`);
  if (there === "file" && !overwrite) {
    throw new PpioError("ALREADY_EXISTS", `${path} exists already; choose another name or say --force.`);
  }
  // Short whatever the target is called: names of files are bounded.
  const aside = join(dirname(path), `.ppio-${randomBytes(8).toString("hex")}.part`);
  let handle: FileHandle;
  try {
    handle = await open(aside, "wx");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) throw new PpioError("NOT_FOUND", `There is no folder ${dirname(path)}; make it first.`, { cause });
    throw diskError(cause, path);
  }
  try {
    for await (const pieces of gathered(bytes, WRITE_BYTES)) {
      await writeFully(handle, pieces, path);
      onBytes(bytesOf(pieces));
      pieces.forEach(freeLent);
    }
    await finish(handle, aside, path);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(aside, { force: true });
    throw error;
  }
}

async function finish(handle: FileHandle, aside: string, path: string): Promise<void> {
  try {
    await handle.sync();
    await handle.close();
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    throw diskError(cause, path);
  }
}

/** Pieces in order, as many at once as make `bytesMin`. */
async function* gathered(bytes: AsyncIterable<Uint8Array>, bytesMin: number): AsyncGenerator<readonly Uint8Array[]> {
  let pieces: Uint8Array[] = [];
  for await (const piece of bytes) {
    pieces.push(piece);
    if (bytesOf(pieces) < bytesMin) continue;
    yield pieces;
    pieces = [];
  }
  if (pieces.length > 0) yield pieces;
}

function bytesOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

async function writeFully(handle: FileHandle, pieces: readonly Uint8Array[], path: string): Promise<void> {
  try {
    for (let rest = pieces; rest.length > 0; ) {
      let { bytesWritten } = await handle.writev(rest);
      rest = rest.flatMap((piece) => {
        const written = Math.min(piece.length, bytesWritten);
        bytesWritten -= written;
        return written < piece.length ? [piece.subarray(written)] : [];
      });
    }
  } catch (cause) {
    throw diskError(cause, path);
  }
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw diskError(error, path);
  }
}
