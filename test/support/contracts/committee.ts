/**
 * A committee over the real periods and beacon, and its verifiers: with doubles of the repair fund and of the service penalty, which do
 * what they are told, or on the real market and proofs.
 */
import { encodeReport, type ReportEntry, reportCommitment } from "@ppio/core";
import { type ContractTransactionReceipt, id, type Wallet } from "ethers";
import type {
  IVerifierCommittee,
  PossessionProofs,
  RepairFundDouble,
  ServicePenaltyDouble,
  StorageMarket,
  VerifierCommittee,
} from "../../../typechain-types/index.ts";
import { ethers, networkHelpers } from "./chain.ts";
import { deployWorld, deployWorldWithCommittee } from "./deploy-world.ts";
import type { World } from "./world.ts";

/** Of one service penalty: PENALTY_GAS() of the contract. */
export const PENALTY_GAS = 1_900_000;
export const TOKEN = 10n ** 18n;
export const MIN_STAKE_WEI = 1_000n * TOKEN;
export const TERM_PERIODS = 4;
export const LEAVE_DELAY_TERMS = 4;
export const PARAMS: IVerifierCommittee.ParamsStruct = {
  minStakeWei: MIN_STAKE_WEI,
  rewardWei: 10n * TOKEN,
  silentBps: 100n,
  unrevealedBps: 300n,
  toleranceScore: 1_000n,
  thresholdScore: 5_000n,
  maxServiceBps: 50n,
};
/** Terms and seats unless told otherwise. */
export const TERMS = {
  termPeriods: TERM_PERIODS,
  commitPeriods: 1,
  revealPeriods: 1,
  leaveDelayTerms: LEAVE_DELAY_TERMS,
  seatsMax: 9,
  seatsMin: 4,
};
export const COMMIT_TYPES = {
  Commit: [
    { name: "verifier", type: "address" },
    { name: "term", type: "uint32" },
    { name: "commitment", type: "bytes32" },
  ],
};
export const JOIN_TYPES = {
  Join: [
    { name: "verifier", type: "address" },
    { name: "amountWei", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint64" },
  ],
};

export type Config = IVerifierCommittee.ConfigStruct;
export type Entries = readonly ReportEntry[];

export interface CommitteeOptions {
  /** Over its own token unless given. */
  readonly world?: World;
  readonly verifiers?: number;
  readonly config?: Partial<Config>;
  readonly params?: Partial<IVerifierCommittee.ParamsStruct>;
}

export async function receiptOf(transaction: Promise<{ wait(): Promise<ContractTransactionReceipt | null> }>) {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error("not mined");
  return receipt;
}

export class CommitteeWorld<
  Fund extends RepairFundDouble | StorageMarket = RepairFundDouble,
  Penalties extends ServicePenaltyDouble | PossessionProofs = ServicePenaltyDouble,
> {
  readonly world: World;
  readonly committee: VerifierCommittee;
  readonly fund: Fund;
  readonly penalties: Penalties;
  readonly config: Config;
  readonly verifiers: Wallet[] = [];
  readonly chainId: bigint;
  readonly address: string;
  /** Set to skip the seed of a period as it passes. */
  withheld = (_period: number): boolean => false;
  /** What happens in every period that passes, once the seed of the one before it is known. */
  eachPeriod = async (_period: number): Promise<void> => {};

  constructor(
    world: World,
    contracts: Pick<CommitteeWorld<Fund, Penalties>, "committee" | "fund" | "penalties" | "config" | "chainId" | "address">,
  ) {
    this.world = world;
    this.committee = contracts.committee;
    this.fund = contracts.fund;
    this.penalties = contracts.penalties;
    this.config = contracts.config;
    this.chainId = contracts.chainId;
    this.address = contracts.address;
  }

  // ---- time ----

  async term(): Promise<number> {
    return Number(await this.committee.currentTerm());
  }

  /** First periods of a term and of its windows. */
  async windows(term: number) {
    const { openPeriod, commitPeriod, revealPeriod, finalisePeriod, settlePeriod } = await this.committee.windowsOf(term);
    return {
      open: Number(openPeriod),
      commit: Number(commitPeriod),
      reveal: Number(revealPeriod),
      finalise: Number(finalisePeriod),
      settle: Number(settlePeriod),
    };
  }

  /** Passes every period up to `period`, the seeds of those before it submitted in time. */
  async toPeriod(period: number): Promise<void> {
    for (let at = (await this.world.period()) + 1; at <= period; at += 1) {
      await this.world.enter(at);
      if (!this.withheld(at - 1)) await this.world.seed(at - 1);
      await this.eachPeriod(at);
    }
  }

  async toTerm(term: number): Promise<void> {
    await this.toPeriod((await this.windows(term)).open);
  }

  /** Into the next term, with its committee drawn. */
  async nextCommittee(): Promise<number> {
    const term = (await this.term()) + 1;
    await this.toTerm(term);
    await this.committee.drawCommittee(term);
    return term;
  }

  // ---- verifiers ----

  /** A fresh account with gas, tokens and an allowance. */
  async newAccount(): Promise<Wallet> {
    const wallet = new ethers.Wallet(id(`verifier${this.verifiers.length}`), ethers.provider);
    this.verifiers.push(wallet);
    await networkHelpers.setBalance(wallet.address, 10n ** 20n);
    await this.world.drip(wallet);
    await this.world.token.connect(wallet).approve(this.committee, 10n ** 30n);
    return wallet;
  }

  async addVerifier(stakeWei = MIN_STAKE_WEI): Promise<Wallet> {
    const wallet = await this.newAccount();
    await this.committee.connect(wallet).join(stakeWei);
    return wallet;
  }

  wallet(address: string): Wallet {
    const found = this.verifiers.find((wallet) => wallet.address === address);
    if (found === undefined) throw new Error(`no verifier ${address}`);
    return found;
  }

  /** Members by seat. */
  async members(term: number): Promise<Wallet[]> {
    return (await this.committee.termOf(term)).members.map((address) => this.wallet(address));
  }

  async stakeOf(account: { address: string }): Promise<bigint> {
    return (await this.committee.verifierOf(account.address)).stakeWei;
  }

  // ---- reports ----

  salt(term: number, verifier: string): string {
    return id(`salt/${term}/${verifier}`);
  }

  commitment(term: number, verifier: string, entries: Entries): string {
    const domain = { chainId: this.chainId, committee: this.address };
    return reportCommitment(domain, verifier, term, this.salt(term, verifier), encodeReport(entries));
  }

  async commit(term: number, member: Wallet, entries: Entries): Promise<void> {
    await this.committee.connect(member).commit(term, this.commitment(term, member.address, entries));
  }

  async reveal(term: number, member: Wallet, entries: Entries): Promise<ContractTransactionReceipt> {
    return receiptOf(this.committee.reveal(member, term, this.salt(term, member.address), encodeReport(entries)));
  }

  async signCommit(member: Wallet, term: number, commitment: string, domain: Record<string, unknown> = {}): Promise<string> {
    return member.signTypedData({ ...this.domain(), ...domain }, COMMIT_TYPES, { verifier: member.address, term, commitment });
  }

  async signJoin(verifier: Wallet, amountWei: bigint, nonce: bigint, deadline: bigint, domain: Record<string, unknown> = {}) {
    return verifier.signTypedData({ ...this.domain(), ...domain }, JOIN_TYPES, { verifier: verifier.address, amountWei, nonce, deadline });
  }

  domain() {
    return { name: "PPIO VerifierCommittee", version: "1", chainId: this.chainId, verifyingContract: this.address };
  }

  /** Both windows of a term: seat i reports `reports[i]`, or is silent. Ends where finalisation begins. */
  async report(term: number, reports: readonly (Entries | undefined)[]): Promise<void> {
    const members = await this.members(term);
    const { commit, reveal, finalise } = await this.windows(term);
    await this.toPeriod(commit);
    for (const [seat, member] of members.entries()) {
      const entries = reports[seat];
      if (entries !== undefined) await this.commit(term, member, entries);
    }
    await this.toPeriod(reveal);
    for (const [seat, member] of members.entries()) {
      const entries = reports[seat];
      if (entries !== undefined) await this.reveal(term, member, entries);
    }
    await this.toPeriod(finalise);
  }

  async toSettlement(term: number): Promise<void> {
    await this.toPeriod((await this.windows(term)).settle);
  }

  // ---- money ----

  /** Tokens into the repair fund. */
  async endow(amountWei: bigint): Promise<void> {
    const { token } = this.world;
    await this.world.drip(this.world.signer(3)).catch(() => undefined);
    await token.connect(this.world.signer(3)).approve(this.fund, amountWei);
    await this.fund.connect(this.world.signer(3)).donate(amountWei);
  }

  /** What the contract says that it owes to everybody. */
  async bookedWei(others: readonly { address: string }[] = []): Promise<bigint> {
    const accounts = [...this.verifiers, ...others];
    const parts = await Promise.all([
      this.committee.owedToFundWei(),
      ...accounts.map((account) => this.stakeOf(account)),
      ...accounts.map(({ address }) => this.committee.creditOf(address)),
    ]);
    return parts.reduce((sumWei, partWei) => sumWei + partWei, 0n);
  }
}

export async function deployCommittee(options: CommitteeOptions = {}): Promise<CommitteeWorld> {
  const world = options.world ?? (await deployWorld());
  const fund = await ethers.deployContract("RepairFundDouble", [world.token]);
  const penalties = await ethers.deployContract("ServicePenaltyDouble");
  const config: Config = {
    token: world.token,
    proofs: world.proofs,
    penalties,
    fund,
    owner: world.signer(19),
    ...TERMS,
    ...options.config,
  };
  const committee = await ethers.deployContract("VerifierCommittee", [config, { ...PARAMS, ...options.params }]);
  const address = await committee.getAddress();
  await fund.setUp(address, 2n ** 256n - 1n, false);
  const { chainId } = await ethers.provider.getNetwork();
  const made = new CommitteeWorld(world, { committee, fund, penalties, config, chainId, address });
  for (let at = 0; at < (options.verifiers ?? 0); at += 1) await made.addVerifier();
  return made;
}

/** The same on the real market and the real proofs, as a deployment wires them. */
export async function deployCommitteeOnMarket(verifiers: number): Promise<CommitteeWorld<StorageMarket, PossessionProofs>> {
  const { world, committee, config } = await deployWorldWithCommittee(TERMS, PARAMS);
  const address = await committee.getAddress();
  const { chainId } = await ethers.provider.getNetwork();
  const { market: fund, proofs: penalties } = world;
  const made = new CommitteeWorld(world, { committee, fund, penalties, config, chainId, address });
  for (let at = 0; at < verifiers; at += 1) await made.addVerifier();
  return made;
}
