/**
 * Leaving with the owner's wallet, once nothing is held any more: asks the collateral back, waits until it may go, takes it and the pay. Every
 * step is found again on the chain, so that a command that was interrupted goes on where it stopped.
 */
import type { ChainContracts } from "@ppio/daemon";
import { pause } from "@ppio/daemon";
import type { JsonRpcProvider } from "ethers";
import { askForAll, paidOutWei } from "../sending.ts";

const POLL_MS = 1_000;

export interface LeaveOptions {
  /** Connected to the owner. */
  readonly contracts: ChainContracts;
  readonly rpc: JsonRpcProvider;
  readonly providerId: number;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

export interface Claimed {
  /** Pay and refunds out of the market, in wei. */
  readonly payWei: bigint;
  /** Bonds of challenges that were answered. */
  readonly bondsWei: bigint;
  /** For reads, out of the escrow. */
  readonly readsWei: bigint;
}

/** Pays out what the market, the challenges and the escrow owe to `owner`. */
export async function claimPay({ market, challenges, escrow }: ChainContracts, owner: string): Promise<Claimed> {
  const paid: bigint[] = [];
  for (const account of [market, challenges, escrow]) {
    paid.push((await account.creditOf(owner)) === 0n ? 0n : paidOutWei(await (await account.withdraw(owner)).wait()));
  }
  const [payWei = 0n, bondsWei = 0n, readsWei = 0n] = paid;
  return { payWei, bondsWei, readsWei };
}

/** Unix seconds from which the collateral may be taken; undefined when none is left. */
export async function askCollateralBack({ contracts, rpc, providerId }: LeaveOptions): Promise<number | undefined> {
  const { registry } = contracts;
  const [record, delaySeconds, block] = await Promise.all([
    registry.getProvider(providerId),
    registry.unbondingSeconds(),
    rpc.getBlock("latest"),
  ]);
  if (record.collateralWei === 0n) return undefined;
  const hasLapsed = BigInt(block?.timestamp ?? 0) > record.unbondingUntil + delaySeconds;
  const isAsked = record.unbondingWei >= record.collateralWei && !hasLapsed;
  if (isAsked) return Number(record.unbondingUntil);
  // A miss that is reported just then makes it less.
  await askForAll(rpc, "InsufficientFreeCollateral", async () =>
    (await registry.startUnbonding(providerId, await registry.freeCollateral(providerId))).wait(),
  );
  return Number((await registry.getProvider(providerId)).unbondingUntil);
}

/** Waits for the chain's clock, then takes the collateral; undefined when the signal came first. */
export async function takeCollateral(options: LeaveOptions, from: number): Promise<bigint | undefined> {
  const { contracts, rpc, providerId, signal, note } = options;
  note(`the collateral may be taken from ${new Date(from * 1000).toISOString()} on; waiting (Ctrl-C is safe: run the command again later)`);
  while (!signal.aborted) {
    const block = await rpc.getBlock("latest");
    if (block !== null && block.timestamp >= from) {
      return paidOutWei(await (await contracts.registry.withdrawCollateral(providerId)).wait());
    }
    await pause(POLL_MS, signal);
  }
  return undefined;
}
