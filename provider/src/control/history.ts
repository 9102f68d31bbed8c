/**
 * What a provider has earned and lost since the network began, added up from the chain's events. Sums of old blocks are kept, the newest
 * blocks are read anew each time, so that a reorg corrects them; no event is kept.
 */
import type { ChainConnection } from "@ppio/daemon";

const BLOCKS_PER_QUERY = 5_000;
/** Deeper reorgs than this do not happen on the chains we run on. */
const REORG_BLOCKS = 64;

export interface History {
  readonly provenPeriods: number;
  readonly missedPeriods: number;
  /** Credited to the owner for proven periods, in wei. */
  readonly earnedWei: bigint;
  /** By misses and by lost slots, in wei. */
  readonly slashedWei: bigint;
  readonly lostSlots: number;
  /** Credited to the owner in the escrow for reads, in wei. */
  readonly readsEarnedWei: bigint;
}

const NOTHING: History = { provenPeriods: 0, missedPeriods: 0, earnedWei: 0n, slashedWei: 0n, lostSlots: 0, readsEarnedWei: 0n };

export class HistoryReader {
  readonly #chain: ChainConnection;
  readonly #providerId: number;
  #sum: History = NOTHING;
  #nextBlock: number;
  #reading: Promise<History> | undefined;

  constructor(chain: ChainConnection, providerId: number) {
    this.#chain = chain;
    this.#providerId = providerId;
    this.#nextBlock = chain.book.fromBlock;
  }

  /** Those who ask at once share a reading. */
  read(): Promise<History> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<History> {
    const latest = await this.#chain.rpc.getBlockNumber();
    const solid = latest - REORG_BLOCKS;
    for (; this.#nextBlock <= solid; ) {
      const to = Math.min(solid, this.#nextBlock + BLOCKS_PER_QUERY - 1);
      this.#sum = add(this.#sum, await this.#query(this.#nextBlock, to));
      this.#nextBlock = to + 1;
    }
    return this.#nextBlock > latest ? this.#sum : add(this.#sum, await this.#query(this.#nextBlock, latest));
  }

  async #query(from: number, to: number): Promise<History> {
    const { market, proofs, escrow, registry } = this.#chain;
    const id = this.#providerId;
    const { owner } = await registry.getProvider(id);
    const [settled, forfeited, proven, missed, redeemed] = await Promise.all([
      market.queryFilter(market.filters.SlotSettled(undefined, undefined, id), from, to),
      market.queryFilter(market.filters.SlotForfeited(undefined, undefined, id), from, to),
      proofs.queryFilter(proofs.filters.PeriodProven(id), from, to),
      proofs.queryFilter(proofs.filters.PeriodMissed(id), from, to),
      escrow.queryFilter(escrow.filters.VouchersRedeemed(owner), from, to),
    ]);
    const slashedWei = [...forfeited, ...missed].reduce((sum, { args }) => sum + args.slashedWei, 0n);
    return {
      provenPeriods: proven.length,
      missedPeriods: missed.length,
      earnedWei: settled.reduce((sum, { args }) => sum + args.paidWei, 0n),
      slashedWei,
      lostSlots: forfeited.length,
      readsEarnedWei: redeemed.reduce((sum, { args }) => sum + args.creditedWei, 0n),
    };
  }
}

function add(a: History, b: History): History {
  return {
    provenPeriods: a.provenPeriods + b.provenPeriods,
    missedPeriods: a.missedPeriods + b.missedPeriods,
    earnedWei: a.earnedWei + b.earnedWei,
    slashedWei: a.slashedWei + b.slashedWei,
    lostSlots: a.lostSlots + b.lostSlots,
    readsEarnedWei: a.readsEarnedWei + b.readsEarnedWei,
  };
}
