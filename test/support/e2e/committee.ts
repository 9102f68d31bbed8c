/** A verifier that a test plays itself, and the committee's money. */
import { readFile } from "node:fs/promises";
import { encodeReport, type ReportEntry, reportCommitment, withGasMargin } from "@ppio/core";
import { type VerifierCommittee, VerifierCommittee__factory } from "@ppio/core/contracts";
import { connectContracts } from "@ppio/daemon";
import { getBytes, hexlify, MaxUint256, randomBytes, toQuantity, Wallet } from "ethers";
import { planProbes } from "../../../oracle/dist/verifier/schedule.js";
import type { Devnet } from "./devnet.ts";

const COIN_WEI = 10n ** 20n;
/** Of a devnet's verifiers: reads of each provider in a term, all before its last part. */
const PROBES_PER_PROVIDER = 6;
const MEASURED_PERCENT = 85n;

export function committeeOf(devnet: Devnet): VerifierCommittee {
  return VerifierCommittee__factory.connect(devnet.book.committee, devnet.rpc);
}

/** On the list by its own transactions; what it reports is the test's word. */
export class PlayedVerifier {
  readonly address: string;
  readonly #committee: VerifierCommittee;
  readonly #devnet: Devnet;
  readonly #sealed = new Map<number, { readonly salt: string; readonly report: string }>();

  private constructor(devnet: Devnet, wallet: Wallet) {
    this.#devnet = devnet;
    this.address = wallet.address;
    this.#committee = VerifierCommittee__factory.connect(devnet.book.committee, withGasMargin(wallet));
  }

  static async join(devnet: Devnet): Promise<PlayedVerifier> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, devnet.rpc);
    await devnet.rpc.send("hardhat_setBalance", [wallet.address, toQuantity(COIN_WEI)]);
    const { token } = connectContracts(devnet.book, withGasMargin(wallet));
    await (await token.faucet(wallet.address)).wait();
    await (await token.approve(devnet.book.committee, MaxUint256)).wait();
    const played = new PlayedVerifier(devnet, wallet);
    const { minStakeWei } = await played.#committee.paramsAt(await played.#committee.currentTerm());
    await (await played.#committee.join(minStakeWei)).wait();
    return played;
  }

  async commit(term: number, entries: readonly ReportEntry[]): Promise<void> {
    const sealed = { salt: hexlify(randomBytes(32)), report: encodeReport(entries) };
    this.#sealed.set(term, sealed);
    const domain = { chainId: BigInt(this.#devnet.book.chainId), committee: this.#devnet.book.committee };
    const commitment = reportCommitment(domain, this.address, term, sealed.salt, sealed.report);
    await (await this.#committee.commit(term, commitment)).wait();
  }

  async reveal(term: number): Promise<void> {
    const sealed = this.#sealed.get(term);
    if (sealed === undefined) throw new Error(`nothing was committed to for term ${term}`);
    await (await this.#committee.reveal(this.address, term, sealed.salt, sealed.report)).wait();
  }
}

/** Chain time at which a devnet's verifiers have made all reads of a term. */
export async function measuredAt(devnet: Devnet, openPeriod: bigint, commitPeriod: bigint): Promise<bigint> {
  const { proofs } = devnet.contracts;
  const [from, until] = [(await proofs.periodBounds(openPeriod)).open, (await proofs.periodBounds(commitPeriod)).open];
  return from + ((until - from) * MEASURED_PERCENT) / 100n;
}

/**
 * The provider of which the verifiers, whose plans are drawn by chance, read the least in the first quarter of a term: three of four shall
 * find it away in most of their reads when it goes away at the term's beginning.
 */
export async function leastReadEarly<T extends { readonly providerId: number }>(
  devnet: Devnet,
  term: number,
  providers: readonly T[],
): Promise<T> {
  const { verifiers } = await devnet.json();
  const earlyReads = new Map(providers.map((provider) => [provider, [] as number[]]));
  for (const { name } of verifiers) {
    const { seed } = JSON.parse(await readFile(devnet.path("devnet", name, "terms", "verifier.json"), "utf8")) as { seed: string };
    for (const [{ providerId }, early] of earlyReads) {
      const plan = { seed: getBytes(seed), term, providerIds: [providerId], probesPerProvider: PROBES_PER_PROVIDER };
      early.push(planProbes({ ...plan, fromMs: 0, untilMs: 4_000 }).filter(({ at }) => at < 1_000).length);
    }
  }
  const third = (early: readonly number[]): number => [...early].sort((a, b) => a - b)[2] ?? 0;
  const [least] = [...earlyReads].sort(([, one], [, other]) => third(one) - third(other));
  if (least === undefined) throw new Error("no providers");
  return least[0];
}

/** What the committee holds and owes: V1. */
export async function committeeBooks(devnet: Devnet): Promise<{ readonly holds: bigint; readonly owes: bigint }> {
  const committee = committeeOf(devnet);
  const blockTag = (await devnet.rpc.getBlockNumber()) - 1;
  const at = { blockTag };
  let owes = await committee.owedToFundWei(at);
  const count = Number(await committee.verifierCount(at));
  for (let id = 1; id <= count; id += 1) {
    const account = await committee.accountOf(id, at);
    owes += (await committee.verifierOf(account, at)).stakeWei + (await committee.creditOf(account, at));
  }
  return { holds: await devnet.contracts.token.balanceOf(devnet.book.committee, at), owes };
}
