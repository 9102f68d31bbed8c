/** The real disk, which counts what is read of slots' data, and lets a test spoil writes. */
import { type FileLayer, nodeFileLayer } from "@ppio/provider";

export interface CountingDisk {
  readonly files: FileLayer;
  /** Bytes of `data` files that were read. */
  readBytes: number;
  /** Calls of `datasync` and `syncFolder`. */
  flushes: number;
  /** Bytes that the next writes of data take at most. */
  takesAtMost: number;
}

export function countingDisk(): CountingDisk {
  const disk: CountingDisk = {
    readBytes: 0,
    flushes: 0,
    takesAtMost: Number.POSITIVE_INFINITY,
    files: {
      ...nodeFileLayer,
      async open(path, flags) {
        const file = await nodeFileLayer.open(path, flags);
        const datasync = (): Promise<void> => {
          disk.flushes += 1;
          return file.datasync();
        };
        if (!path.endsWith("/data")) return { ...file, datasync };
        return {
          ...file,
          datasync,
          async readv(pieces, position) {
            const bytesRead = await file.readv(pieces, position);
            disk.readBytes += bytesRead;
            return bytesRead;
          },
          writev: ([piece = new Uint8Array()], position) => file.writev([piece.subarray(0, disk.takesAtMost)], position),
        };
      },
      syncFolder(path) {
        disk.flushes += 1;
        return nodeFileLayer.syncFolder(path);
      },
    },
  };
  return disk;
}
