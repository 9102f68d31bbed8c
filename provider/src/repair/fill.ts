/** The end of a repair: leaves that the beacon drew, shown for the slot's new provider, and the slot is filled. */
import { isPpioError, leafCountOf, PpioError, verifyLeafProof } from "@ppio/core";
import { concat, hexlify } from "ethers";
import { askChain } from "../ask-chain.ts";
import { fetchSignature } from "../prover/seed.ts";
import type { RepairContext } from "./context.ts";
import type { RepairableDeal } from "./deal.ts";
import type { OwnReservation } from "./reservations.ts";
import type { RefillDates, Target } from "./target.ts";

const ROUND_POLL_MS = 250;

/** Until the round that draws the leaves is on the chain; brings it there when nobody else did. @throws CANCELLED, CHAIN_UNREACHABLE */
export async function awaitRound(context: RepairContext, round: bigint, signal: AbortSignal): Promise<void> {
  const { chain, sender, sleep } = context;
  const { beacon, book } = chain;
  const isKnown = async (): Promise<boolean> => BigInt(await askChain(() => beacon.randomness(round))) !== 0n;
  if (await isKnown()) return;
  // Loaded while the round is waited for: it is much.
  const drand = import("@ppio/core/drand");
  while (!(await isKnown())) {
    if (signal.aborted) throw new PpioError("CANCELLED", "The repair was stopped.");
    const signature = await fetchSignature(book.beaconUrl, round);
    if (signature === undefined) {
      await sleep(ROUND_POLL_MS, signal);
      continue;
    }
    const { signatureForEvm } = await drand;
    const data = beacon.interface.encodeFunctionData("submit", [round, hexlify(signatureForEvm(signature))]);
    try {
      await sender.send(`beacon/${round}`, { to: book.beacon, data });
    } catch (error) {
      // The chain's clock is behind the beacon's.
      if (!isPpioError(error, "CHAIN_REVERT")) throw error;
      await sleep(ROUND_POLL_MS, signal);
    }
  }
}

/** @throws CORRUPT when the new provider does not show the leaves, CHAIN_REVERT, REFUSED */
export async function fillSlot(
  context: RepairContext,
  deal: RepairableDeal & { readonly dealSalt: string },
  target: Target,
  reservation: OwnReservation,
  dates: RefillDates,
  signal: AbortSignal,
): Promise<void> {
  const { chain, sender, metrics, log } = context;
  const { dealId, dealSalt, header } = deal;
  const { slot, providerId } = target;
  const { slotIndex } = slot;
  const offer = await target.finish(dates, signal);
  const leaves = await askChain(() => chain.repair.leavesOf(dealId, slotIndex, providerId));
  const proofs = await Promise.all(
    leaves.map(async (leaf) => {
      const proof = await target.leafProof(Number(leaf), signal);
      if (!verifyLeafProof({ root: slot.root, leafCount: leafCountOf(header) }, Number(leaf), proof)) {
        throw new PpioError("CORRUPT", `Provider ${providerId} does not show leaf ${leaf} of the slot that it took.`);
      }
      return concat([proof.leaf, ...proof.siblings]);
    }),
  );
  const data = chain.repair.interface.encodeFunctionData("fill", [dealId, slotIndex, offer, { dealSalt, ...dates }, proofs]);
  const receipt = await sender.send(`repair-fill/${dealId}/${slotIndex}/${reservation.openedAt}`, { to: chain.book.repair, data });
  metrics.add("ppio_repaired_slots_total", 1);
  log.info("a vacant slot was repaired", {
    dealId,
    slotIndex,
    fromProviderId: slot.providerId,
    toProviderId: providerId,
    hash: receipt.hash,
  });
}
