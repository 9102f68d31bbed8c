/** Reads that count what other senders have put on its way already, where the node tells. */
import type { BlockTag } from "ethers";

/** Reads with the pending block; with the newest one when the node knows no pending one. */
export async function withPending<T>(read: (at: { readonly blockTag: BlockTag }) => Promise<T>): Promise<T> {
  try {
    return await read({ blockTag: "pending" });
  } catch {
    return read({ blockTag: "latest" });
  }
}
