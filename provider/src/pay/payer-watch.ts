/** Payers of whom the chain says that they take money back, end a key, or could not pay: what they owe is redeemed at once. */
import type { ChainConnection } from "@ppio/daemon";

const BLOCKS_PER_QUERY = 5_000;
/** Read again each time, so that a reorg hides nothing. */
const REORG_BLOCKS = 16;

export class PayerWatch {
  readonly #chain: Pick<ChainConnection, "escrow" | "rpc">;
  #nextBlock: number | undefined;

  constructor(chain: Pick<ChainConnection, "escrow" | "rpc">) {
    this.#chain = chain;
  }

  /**
   * Payers of whom something was seen since the last look.
   * @param payers of whom the account itself is looked at the first time: what came before is not read again
   */
  async look(payers: readonly string[]): Promise<Set<string>> {
    const { rpc } = this.#chain;
    const latest = await rpc.getBlockNumber();
    const seen = new Set<string>();
    if (this.#nextBlock === undefined) await this.#lookAtAccounts(payers, seen);
    else {
      let from = Math.max(0, this.#nextBlock - REORG_BLOCKS);
      for (; from <= latest; from += BLOCKS_PER_QUERY) await this.#query(from, Math.min(latest, from + BLOCKS_PER_QUERY - 1), seen);
    }
    this.#nextBlock = latest + 1;
    return seen;
  }

  async #lookAtAccounts(payers: readonly string[], seen: Set<string>): Promise<void> {
    for (const payer of payers) if ((await this.#chain.escrow.accountOf(payer)).ripeAt !== 0n) seen.add(payer);
  }

  async #query(from: number, to: number, seen: Set<string>): Promise<void> {
    const { escrow } = this.#chain;
    const [requests, revoked, overdrawn] = await Promise.all([
      escrow.queryFilter(escrow.filters.WithdrawalRequested(), from, to),
      escrow.queryFilter(escrow.filters.KeyRevoked(), from, to),
      escrow.queryFilter(escrow.filters.Overdrawn(), from, to),
    ]);
    for (const { args } of [...requests, ...revoked, ...overdrawn]) seen.add(args.payer);
  }
}
