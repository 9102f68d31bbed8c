/**
 * Pays for probes (docs/protocol/verifiers.md, "Paying") as a customer does: out of accounts of their own, whose keys and tokens have
 * nothing to do with the verifier's; which of them pays a provider is drawn anew in each term. Spends a budget a day at most.
 */
import { createHmac } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createPayer, createPayFunds, isPpioError, type Payer, type PayStore, PpioError } from "@ppio/core";
import {
  type ChainConnection,
  createFilePayStore,
  DailyBudget,
  ensurePayAccount,
  type Lifecycle,
  type Logger,
  type PayAccountOptions,
  TxSender,
} from "@ppio/daemon";
import { SigningKey, Wallet } from "ethers";
import type { VerifierConfig } from "./options.ts";
import { fraction } from "./schedule.ts";

export const ACCOUNTS_MAX = 16;
/** Topped up when less than this share of the reserve is left. */
const LOW_SHARE = 2n;

interface Account {
  readonly payer: Payer;
  readonly store: PayStore;
  readonly account: PayAccountOptions;
}

export interface ProbePayersOptions {
  readonly config: Pick<
    VerifierConfig,
    "dataDir" | "payerPrivateKeys" | "payReserveWei" | "payBondWei" | "payBudgetWeiPerDay" | "payMaxPricePerGibWei"
  >;
  readonly chain: ChainConnection;
  /** Secret: who pays whom is drawn from it. */
  readonly seed: Uint8Array;
  readonly lifecycle: Lifecycle;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export class ProbePayers {
  readonly #options: ProbePayersOptions;
  readonly #accounts: readonly Account[];

  private constructor(options: ProbePayersOptions, accounts: readonly Account[]) {
    this.#options = options;
    this.#accounts = accounts;
  }

  /** @throws CONFIG for a key that is none, or is the verifier's own */
  static async open(options: ProbePayersOptions): Promise<ProbePayers> {
    const { config, chain } = options;
    const keys = config.payerPrivateKeys
      .split(",")
      .map((key) => key.trim())
      .filter((key) => key !== "");
    if (keys.length > ACCOUNTS_MAX) throw new PpioError("CONFIG", `"payerPrivateKeys" has more than ${ACCOUNTS_MAX} keys.`);
    const wallets = keys.map((key) => new Wallet(parseKey(key), chain.rpc));
    if (wallets.some(({ address }) => address === chain.wallet?.address)) {
      throw new PpioError("CONFIG", '"payerPrivateKeys" has the verifier\'s own key; whoever pays with it tells every provider who reads.');
    }
    const dirs = wallets.map(({ address }) => join(config.dataDir, "pay", address));
    const stores = dirs.map((dir) => createFilePayStore(dir));
    const path = join(config.dataDir, "pay", "budget.json");
    const budget = new DailyBudget({ path, budgetWei: config.payBudgetWeiPerDay, stores, now: options.now });
    const accounts = await Promise.all(
      wallets.map((wallet, at) => openAccount(options, wallet, dirs[at] ?? "", stores[at] as PayStore, budget)),
    );
    return new ProbePayers(options, accounts);
  }

  /** Tops accounts up and renews their keys. What one lacks is told of and leaves the others alone. */
  async keep(): Promise<void> {
    const { config, log } = this.#options;
    const { payReserveWei: reserveWei, payBondWei: bondWei, payMaxPricePerGibWei: maxPricePerGibWei } = config;
    for (const { account } of this.#accounts) {
      try {
        await ensurePayAccount(account, { reserveWei, bondWei, maxPricePerGibWei, reserveLeastWei: reserveWei / LOW_SHARE });
      } catch (error) {
        log.warn("an account that pays for probes cannot be kept; add tokens or coin to it", { payer: account.payer, error });
      }
    }
  }

  /** Who pays a provider in a term; nobody when no account is given. */
  payerOf(term: number, providerId: number): Payer | undefined {
    const draw = createHmac("sha256", this.#options.seed).update(`pay/${term}/${providerId}`).digest();
    return this.#accounts[Math.floor(fraction(draw) * this.#accounts.length)]?.payer;
  }

  /** After a probe, so that the budget knows what it cost. */
  async flush(): Promise<void> {
    for (const { payer } of this.#accounts) await payer.flush().catch((error) => this.#told(error));
  }

  #told(error: unknown): void {
    // There is no account yet, so there is nothing to write.
    if (isPpioError(error, "NOT_FOUND")) return;
    this.#options.log.warn("what is owed for probes could not be written", { error });
  }
}

async function openAccount(
  { chain, lifecycle, log, now }: ProbePayersOptions,
  wallet: Wallet,
  dir: string,
  store: PayStore,
  budget: DailyBudget,
): Promise<Account> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { book, rpc, escrow } = chain;
  const sender = await TxSender.open({ file: join(dir, "transactions.json"), rpc, wallet, log, signal: lifecycle.signal });
  lifecycle.onStop("transactions of a payer", () => sender.close());
  const payer = createPayer({
    domain: { chainId: BigInt(book.chainId), escrow: book.escrow },
    store,
    funds: createPayFunds(escrow),
    nowMs: now,
    hint: `see to the account ${wallet.address}`,
    mayPay: (costWei) => budget.mayPay(costWei),
  });
  const account = { contracts: chain, book, payer: wallet.address, store, send: sender.send.bind(sender), nowSeconds: () => now() / 1000 };
  return { payer, store, account };
}

/** The key itself never gets into a message. */
function parseKey(text: string): string {
  try {
    return new SigningKey(text.startsWith("0x") ? text : `0x${text}`).privateKey;
  } catch {
    throw new PpioError("CONFIG", '"payerPrivateKeys" has something that is not 32 bytes of hex (0x and 64 digits); correct it.');
  }
}
