/** One run of the fuzzer: sends what the roles do, and after each step reads everything and checks every invariant. */

import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import type { ContractTransactionResponse, Interface, Log } from "ethers";
import type { StateLens } from "../../../typechain-types/index.ts";
import { networkHelpers } from "../contracts/chain.ts";
import { PERIOD_SECONDS, ROUND_SECONDS, SEED_DELAY_SECONDS } from "../contracts/parameters.ts";
import type { TestTree } from "../contracts/tree.ts";
import type { DealTerms, World } from "../contracts/world.ts";
import { checkAll, type Invariant, InvariantViolation } from "./invariant.ts";
import type { Model } from "./model.ts";
import type { Random } from "./random.ts";
import { type CoreEvent, plain, type SlotView, type Source, type State, slotKey, slotsOf } from "./state.ts";

export type Habit = "honest" | "lazy" | "flapping" | "losing" | "leaving" | "lying";

/** A provider with its keys, which it may change, and its habit. */
export interface FuzzProvider {
  readonly providerId: number;
  readonly habit: Habit;
  owner: HardhatEthersSigner;
  operator: HardhatEthersSigner;
}

export interface FuzzDeal {
  readonly dealId: string;
  readonly owner: HardhatEthersSigner;
  readonly payer: HardhatEthersSigner;
  readonly terms: DealTerms;
  readonly trees: readonly TestTree[];
}

/** Steps between two readings of everything. */
const FULL_READ_STEPS = 12;

/** A signed withdrawal that was carried to the market. */
export interface Withdrawal {
  readonly account: string;
  readonly to: string;
  readonly deadline: bigint;
  readonly signature: string;
}

export class Fuzz {
  readonly world: World;
  readonly lens: StateLens;
  readonly random: Random;
  readonly model: Model;
  readonly providers: FuzzProvider[] = [];
  readonly deals: FuzzDeal[] = [];
  readonly seeds = new Map<bigint, string>();
  readonly rounds = new Map<bigint, string>();
  readonly withdrawals: Withdrawal[] = [];
  readonly log: string[] = [];
  readonly accounts: readonly HardhatEthersSigner[];
  readonly counts = new Map<string, number>();
  readonly #addresses: readonly string[];
  readonly #invariants: readonly Invariant[];
  readonly #sources = new Map<string, { source: Source; abi: Interface }>();
  #genesis = 0n;
  #time = 0n;
  #state: State | undefined;
  checks = 0;

  constructor(
    world: World,
    lens: StateLens,
    random: Random,
    accounts: readonly HardhatEthersSigner[],
    model: Model,
    invariants: readonly Invariant[],
  ) {
    this.world = world;
    this.lens = lens;
    this.random = random;
    this.accounts = accounts;
    this.model = model;
    this.#invariants = invariants;
    this.#addresses = accounts.map(({ address }) => address);
  }

  async start(): Promise<void> {
    for (const source of ["market", "registry", "proofs", "policy", "challenges", "repair", "beacon", "fraud"] as const) {
      this.#sources.set((await this.world[source].getAddress()).toLowerCase(), { source, abi: this.world[source].interface });
    }
    this.#genesis = await this.world.proofs.genesisTime();
    this.#time = BigInt(await networkHelpers.time.latest());
    await this.#look("start", []);
  }

  get state(): State {
    if (this.#state === undefined) throw new Error("not started");
    return this.#state;
  }

  get time(): bigint {
    return this.#time;
  }

  get views(): SlotView[] {
    return slotsOf(this.state, this.model.dealIds);
  }

  closeOf(period: bigint): bigint {
    return this.#genesis + period * PERIOD_SECONDS;
  }

  /** The first round a while after a time, as the beacon counts. */
  roundAfter(timestamp: bigint): bigint {
    return (timestamp - this.#genesis) / ROUND_SECONDS + 2n;
  }

  timeOfRound(round: bigint): bigint {
    return this.#genesis + (round - 1n) * ROUND_SECONDS;
  }

  seedRound(period: bigint): bigint {
    return this.roundAfter(this.closeOf(period) + SEED_DELAY_SECONDS);
  }

  provider(providerId: bigint | number): FuzzProvider | undefined {
    return this.providers[Number(providerId) - 1];
  }

  get alive(): FuzzProvider[] {
    return this.providers.filter((_, at) => this.state.providers[at]?.provider.evictedAtPeriod === 0n);
  }

  dealOf(dealId: string): FuzzDeal | undefined {
    return this.deals.find((deal) => deal.dealId === dealId);
  }

  /** Sends one transaction, one second later. A refusal is no failure, but one by panic is. @returns whether it was mined */
  async send(action: string, call: () => Promise<ContractTransactionResponse>): Promise<boolean> {
    await this.#stamp(this.#time + 1n);
    let logs: readonly Log[];
    let data: string;
    try {
      const response = await call();
      data = response.data;
      logs = (await response.wait())?.logs ?? [];
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/^.*reverted with /s, "").split("\n")[0] : String(error);
      this.log.push(`${this.#where()} ${action}: refused, ${reason}`);
      if (/panic|out of gas|opcode/i.test(reason ?? ""))
        throw new InvariantViolation("A3", "no call ends in a panic", `${action}: ${reason}`);
      if (!(error instanceof Error) || !/reverted with/.test(error.message)) throw error;
      return false;
    }
    const name = action.split(" ")[0] ?? action;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.log.push(`${this.#where()} ${action}`);
    await this.#look(action, logs, data);
    return true;
  }

  /** A call that must be refused: one that goes through breaks A1. */
  async forbid(action: string, call: () => Promise<ContractTransactionResponse>): Promise<void> {
    await this.send(`forbidden ${action}`, call);
  }

  /** Lets time pass to a moment, without a transaction. */
  async waitUntil(time: bigint): Promise<void> {
    if (time <= this.#time) return;
    await this.#stamp(time);
    await networkHelpers.mine(1);
    await this.#look("time", []);
  }

  async mine(blocks: number): Promise<void> {
    for (let i = 0; i < blocks; i += 1) {
      await this.#stamp(this.#time + 1n);
      await networkHelpers.mine(1);
    }
  }

  sign(round: bigint): { signature: string; randomness: string } {
    return this.world.group.sign(round);
  }

  async submit(round: bigint, action = "beacon"): Promise<boolean> {
    const { signature, randomness } = this.sign(round);
    const done = await this.send(`${action} ${round}`, () => this.world.beacon.submit(round, signature));
    if (done) this.rounds.set(round, randomness);
    return done;
  }

  treeOf(dealId: string, slotIndex: number | bigint): TestTree {
    const tree = this.world.trees.get(slotKey(dealId, slotIndex));
    if (tree === undefined) throw new Error(`no tree of ${slotKey(dealId, slotIndex)}`);
    return tree;
  }

  async #stamp(time: bigint): Promise<void> {
    this.#time = time;
    await networkHelpers.time.setNextBlockTimestamp(time);
  }

  #where(): string {
    return `${this.state.current}@${this.#time - this.closeOf(this.state.current - 1n)}s`;
  }

  /** Reads anew what the step can have changed: the deals that it names; all of them now and then, and when somebody is evicted. */
  async #read(dealIds: readonly string[], named: string, isEviction: boolean): Promise<State> {
    const isFull = isEviction || this.checks % FULL_READ_STEPS === 0;
    const stale = dealIds.filter((id, at) => isFull || this.#state?.deals[at] === undefined || named.includes(id.slice(2)));
    const now = plain(await this.lens.read(stale, [...this.#addresses]));
    const deals = dealIds.map((id, at) => now.deals[stale.indexOf(id)] ?? this.#state?.deals[at]);
    return { ...now, deals: deals.filter((deal) => deal !== undefined) };
  }

  async #look(action: string, logs: readonly Log[], data = ""): Promise<void> {
    const events: CoreEvent[] = [];
    for (const { address, topics, data } of logs) {
      const found = this.#sources.get(address.toLowerCase());
      const parsed = found?.abi.parseLog({ topics, data });
      if (found !== undefined && parsed) events.push({ from: found.source, name: parsed.name, args: parsed.args });
    }
    const opened = events.filter(({ name }) => name === "DealOpened").map(({ args }) => args.dealId as string);
    const dealIds = [...new Set([...this.model.dealIds, ...opened])];
    const named = logs.reduce((all, log) => all + log.topics.join() + log.data, data);
    const now = await this.#read(
      dealIds,
      named,
      events.some(({ name }) => name === "ProviderEvicted"),
    );
    const before = this.#state ?? now;
    this.model.take(events, this.#state, now);
    this.#state = now;
    checkAll(this.#invariants, { action, events, before, now, model: this.model });
    this.checks += 1;
  }
}
