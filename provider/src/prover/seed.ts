/** A period's seed: from the chain, or from the beacon's HTTP interface when nobody has brought it to the chain yet. */

import type { ChainConnection } from "@ppio/daemon";
import { hexlify } from "ethers";

const FETCH_TIMEOUT_MS = 3_000;

export interface Seed {
  /** The round's randomness, 0x hex. */
  readonly seed: string;
  /** To be carried by the proof, when the chain does not have the round yet. */
  readonly carry: { readonly round: bigint; readonly signature: string } | undefined;
}

/** Undefined while the period's round is not on the chain, and not out when it `mayCarry` it there. */
export async function findSeed(chain: ChainConnection, period: number, mayCarry: boolean): Promise<Seed | undefined> {
  return findRound(chain, await chain.proofs.seedRound(period), mayCarry);
}

/** The same for any round. The contract verifies what is carried, so a lying beacon costs a reverted estimate only. */
export async function findRound(chain: ChainConnection, round: bigint, mayCarry: boolean): Promise<Seed | undefined> {
  if (await chain.beacon.isOnTime(round)) return { seed: await chain.beacon.randomness(round), carry: undefined };
  if (!mayCarry) return undefined;
  const signature = await fetchSignature(chain.book.beaconUrl, round);
  if (signature === undefined) return undefined;
  // Seldom: the oracle was faster.
  const { drandRandomness, signatureForEvm } = await import("@ppio/core/drand");
  return { seed: hexlify(drandRandomness(signature)), carry: { round, signature: hexlify(signatureForEvm(signature)) } };
}

export async function fetchSignature(beaconUrl: string, round: bigint): Promise<Uint8Array | undefined> {
  try {
    const response = await fetch(`${beaconUrl}/public/${round}`, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) return undefined;
    const body = (await response.json()) as { signature?: unknown };
    return typeof body.signature === "string" && /^[0-9a-f]{96}$/.test(body.signature)
      ? new Uint8Array(Buffer.from(body.signature, "hex"))
      : undefined;
  } catch {
    return undefined;
  }
}
