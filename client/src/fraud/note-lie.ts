/** Keeps what shows that a provider lied, when it signed for it. */
import { type AnswerHead, type LieSubject, lieEvidence, lieId } from "@ppio/core";
import type { SlotSource } from "../chain/deal-view.ts";
import type { Context } from "../context.ts";

/** @param head contradicts the slot's root @param currentOperator asked when another one has signed: keys are rotated */
export async function noteLie(
  { chain, lies, log }: Pick<Context, "chain" | "lies" | "log">,
  slot: SlotSource,
  subject: LieSubject,
  head: AnswerHead,
  currentOperator: () => Promise<string>,
): Promise<void> {
  const { providerId, operator } = slot.provider;
  const evidence = lieEvidence(chain.domain, subject, head);
  if (evidence === undefined) return;
  if (evidence.signer !== operator && evidence.signer !== (await currentOperator())) return;
  const id = lieId(evidence);
  await lies.save({ id, providerId, evidence });
  log.warn("a provider signed a lie; the proof is kept, and takes all its collateral when it is sent", {
    dealId: subject.dealId,
    slotIndex: subject.slotIndex,
    providerId,
    lie: id,
  });
}
