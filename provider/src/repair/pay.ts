/**
 * Pays for the reads of own repairs (docs/protocol/repair.md): out of a reserve of the operator, which is made and topped up from the
 * operator's tokens only when a source wants money, and within a budget a day. A source that cannot be paid is left out; others are asked.
 */
import { join } from "node:path";
import { createPayer, createPayFunds, isUnpaid, type Payer, type PayStore, type ProviderApi, type Seller } from "@ppio/core";
import { createFilePayStore, DailyBudget, ensurePayAccount } from "@ppio/daemon";
import type { ProviderContext } from "../context.ts";

/** An account that could not be filled is not tried again sooner. */
const FILL_AGAIN_MS = 60_000;
/** Topped up when less than this share of the reserve is left. */
const LOW_SHARE = 2n;

export interface RepairPayer extends Payer {
  /** Writes what is owed; what goes wrong is told. */
  settle(): Promise<void>;
}

export function createRepairPayer(context: ProviderContext): RepairPayer {
  const { chain, config, operator, log, now } = context;
  const dir = join(config.dataDir, "pay", operator.address);
  const store = createFilePayStore(dir);
  const budget = new DailyBudget({ path: join(dir, "budget.json"), budgetWei: config.repairReadsWeiPerDay, stores: [store], now });
  const payer = createPayer({
    domain: { chainId: BigInt(chain.book.chainId), escrow: chain.book.escrow },
    store,
    funds: createPayFunds(chain.escrow),
    nowMs: now,
    hint: `give the operator ${operator.address} tokens`,
    mayPay: (costWei) => budget.mayPay(costWei),
  });
  const filler = new Filler(context, store);
  const api = (plain: ProviderApi, seller: Seller): ProviderApi => {
    const paid = payer.api(plain, seller);
    return {
      ...paid,
      async readSlot(request, signal) {
        try {
          return await paid.readSlot(request, signal);
        } catch (error) {
          if (!isUnpaid(error) || !MENDED_BY_MONEY.has(String(error.details["unpaid"])) || !(await filler.fill())) throw error;
          return paid.readSlot(request, signal);
        }
      },
    };
  };
  const flush = (): Promise<void> => payer.flush();
  return {
    api,
    flush,
    settle: () => flush().catch((error) => log.warn("what is owed for a repair's reads could not be written", { error })),
  };
}

const MENDED_BY_MONEY: ReadonlySet<string> = new Set(["no-account", "reserve", "key", "account"]);

/** Fills the account, one at a time. */
class Filler {
  readonly #context: ProviderContext;
  readonly #store: PayStore;
  #running: Promise<boolean> | undefined;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(context: ProviderContext, store: PayStore) {
    this.#context = context;
    this.#store = store;
  }

  /** True when the account is as it shall be. */
  fill(): Promise<boolean> {
    this.#running ??= this.#fill().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #fill(): Promise<boolean> {
    const { chain, config, operator, sender, log, now } = this.#context;
    const reserveWei = config.repairReserveWei;
    if (reserveWei === 0n || now() - this.#failedAtMs < FILL_AGAIN_MS) return false;
    try {
      await ensurePayAccount(
        {
          ...{ contracts: chain, book: chain.book, payer: operator.address, store: this.#store },
          ...{ send: (id, call) => sender.send(id, call), nowSeconds: () => now() / 1000 },
        },
        { reserveWei, reserveLeastWei: reserveWei / LOW_SHARE, bondWei: reserveWei, maxPricePerGibWei: config.repairMaxReadPriceWei },
      );
      return true;
    } catch (error) {
      this.#failedAtMs = now();
      log.warn("the reserve for a repair's reads could not be filled; sources that want money are left out", { error });
      return false;
    }
  }
}
