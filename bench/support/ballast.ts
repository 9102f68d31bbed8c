/**
 * Memory that this machine has already. A virtual machine is given memory page by page, when it first writes there, and gives back what lies
 * free for seconds; a fresh page costs more than hashing what is written to it. So a file in memory is held ready, and shrinks as fast as
 * others grow.
 */
import { open, statfs } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./temporary.ts";

const PIECE = new Uint8Array(1 << 22).fill(1);
const LOOK_MS = 20;

/** Runs `work`, which writes up to `sizeBytes` to files in memory. */
export async function withBallast<T>(sizeBytes: number, work: () => Promise<T>): Promise<T> {
  const folder = await temporaryFolder();
  const file = await open(join(folder.path, "ballast"), "wx");
  try {
    let left = 0;
    for (; left < sizeBytes; left += PIECE.length) await file.write(PIECE);
    const usedBytes = async (): Promise<number> => {
      const { blocks, bfree, bsize } = await statfs(folder.path);
      return (blocks - bfree) * bsize;
    };
    const held = await usedBytes();
    let isOver = false;
    const shrinking = (async () => {
      while (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        const grown = (await usedBytes()) - held;
        if (grown <= 0) continue;
        left = Math.max(0, left - grown);
        await file.truncate(left);
      }
    })();
    try {
      return await work();
    } finally {
      isOver = true;
      await shrinking;
    }
  } finally {
    await file.close();
    await folder.remove();
  }
}
