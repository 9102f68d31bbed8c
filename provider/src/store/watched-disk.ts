/** A disk whose failures are told, wherever in the store they happen. What is merely not there is no failure. */
import { isErrno } from "@ppio/daemon";
import type { FileLayer, StoreFile } from "./file-layer.ts";

export function watchedDisk(disk: FileLayer, onFailure: (error: unknown) => void): FileLayer {
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (!isErrno(error, "ENOENT")) onFailure(error);
      throw error;
    }
  };
  const watchedFile = (file: StoreFile): StoreFile => ({
    readv: (pieces, position) => watch(file.readv(pieces, position)),
    writev: (pieces, position) => watch(file.writev(pieces, position)),
    truncate: (bytes) => watch(file.truncate(bytes)),
    datasync: () => watch(file.datasync()),
    close: () => watch(file.close()),
  });
  return {
    open: async (path, flags) => watchedFile(await watch(disk.open(path, flags))),
    readFile: (path) => watch(disk.readFile(path)),
    stat: (path) => watch(disk.stat(path)),
    list: (folder) => watch(disk.list(folder)),
    makeFolder: (path, options) => watch(disk.makeFolder(path, options)),
    rename: (from, to) => watch(disk.rename(from, to)),
    remove: (path) => watch(disk.remove(path)),
    syncFolder: (path) => watch(disk.syncFolder(path)),
    freeBytes: (path) => watch(disk.freeBytes(path)),
  };
}
