/** What a daemon's accounts may spend on reads in a day (UTC): how much more they owe than at its beginning. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { PayStore } from "@ppio/core";
import { atomicWriteFile, readJsonFile } from "./files.ts";

const DAY_MS = 86_400_000;

export interface DailyBudgetOptions {
  /** Where the day's beginning is kept. */
  readonly path: string;
  readonly budgetWei: bigint;
  readonly stores: readonly PayStore[];
  /** Unix milliseconds. */
  readonly now: () => number;
}

export class DailyBudget {
  readonly #options: DailyBudgetOptions;
  #begun: { readonly day: number; readonly owedWei: bigint } | undefined;

  constructor(options: DailyBudgetOptions) {
    this.#options = options;
  }

  /** By what the stores say, so a payer must write what it owes now and then. @throws IO, CONFIG */
  async mayPay(costWei: bigint): Promise<boolean> {
    const { path, budgetWei, stores, now } = this.#options;
    const records = await Promise.all(stores.map((store) => store.read()));
    const owedWei = records.flatMap((record) => record?.streams ?? []).reduce((sum, stream) => sum + stream.owedWei, 0n);
    const day = Math.floor(now() / DAY_MS);
    this.#begun ??= await readBegun(path);
    // Streams of keys that are over are forgotten: then it is counted from there.
    if (this.#begun?.day !== day || owedWei < this.#begun.owedWei) {
      this.#begun = { day, owedWei };
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await atomicWriteFile(path, JSON.stringify({ day, owedWei: String(owedWei) }), { mode: 0o600 });
    }
    return owedWei - this.#begun.owedWei + costWei <= budgetWei;
  }
}

async function readBegun(path: string): Promise<{ readonly day: number; readonly owedWei: bigint } | undefined> {
  const known = await readJsonFile<{ readonly day: number; readonly owedWei: string }>(path);
  return known === undefined ? undefined : { day: known.day, owedWei: BigInt(known.owedWei) };
}
