/** Tells when blocks that were seen are no longer the chain's: what was concluded from them is looked at again. */
import type { JsonRpcProvider } from "ethers";

export class ReorgWatch {
  readonly #rpc: Pick<JsonRpcProvider, "getBlock">;
  #newest: { readonly number: number; readonly hash: string } | undefined;

  constructor(rpc: Pick<JsonRpcProvider, "getBlock">) {
    this.#rpc = rpc;
  }

  /** Whether the newest block of the last look is gone. */
  async hasReorged(): Promise<boolean> {
    const before = this.#newest;
    const latest = await this.#rpc.getBlock("latest");
    if (latest?.hash == null) return false;
    const same = before === undefined || (await this.#rpc.getBlock(before.number))?.hash === before.hash;
    this.#newest = { number: latest.number, hash: latest.hash };
    return !same;
  }
}
