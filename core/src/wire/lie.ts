/**
 * A signed lie (docs/protocol/penalties.md): an answer's head whose cell roots do not lead to the slot's root on the chain, with the signature
 * of whoever said so. Anybody may take it to `FraudProofs`, which takes the provider's whole collateral and pays the finder.
 */
import { hexlify, keccak256, toUtf8Bytes } from "ethers";
import { answerRootsHash, type ReadAnswer, readAnswerMessage, type SigningDomain } from "../chain/typed-data.ts";
import { rangeProofLength } from "../tree/range-proof.ts";
import { type SlotShape, upperHeight } from "../tree/slot-tree.ts";
import type { AnswerHead } from "./answer.ts";

export interface LieEvidence {
  readonly answer: ReadAnswer;
  /** 65 bytes, 0x hex. */
  readonly signature: string;
  /** Address that signed. */
  readonly signer: string;
  readonly cellCount: number;
  /** Cell roots, then siblings, 0x hex. */
  readonly nodes: readonly string[];
}

/** Operators' keys that are looked at, the newest first. */
export const SIGNER_EPOCHS_MAX = 64;

export interface LieSubject {
  readonly dealId: string;
  readonly slotIndex: number;
  readonly firstCell: number;
  readonly shape: SlotShape;
}

/**
 * What shows that somebody signed this head, which is known to contradict the slot's root. Undefined when it is malformed, which proves
 * nothing, or signed by nobody.
 */
export function lieEvidence(domain: SigningDomain, subject: LieSubject, head: AnswerHead): LieEvidence | undefined {
  const { dealId, slotIndex, firstCell, shape } = subject;
  const { cellRoots, siblings, servedAt } = head;
  const expected = rangeProofLength(upperHeight(shape), { first: firstCell, count: cellRoots.length });
  if (siblings.length !== expected) return undefined;
  const answer = { dealId, slotIndex, firstCell, rootsHash: answerRootsHash(cellRoots, siblings), servedAt };
  const signature = hexlify(head.signature);
  const signer = readAnswerMessage.recover(domain, answer, signature);
  if (signer === undefined) return undefined;
  return { answer, signature, signer, cellCount: cellRoots.length, nodes: [...cellRoots, ...siblings].map((node) => hexlify(node)) };
}

/** Names a lie: 32 bytes, 0x hex. */
export function lieId({ signature, answer }: LieEvidence): string {
  return keccak256(toUtf8Bytes(`${signature} ${answer.rootsHash}`));
}

/** Epoch in which the signer was the provider's operator; undefined when it was in none of the newest 64. */
export async function epochOfSigner(
  signer: string,
  newestEpoch: number,
  operatorAt: (epoch: number) => Promise<string>,
): Promise<number | undefined> {
  for (let epoch = newestEpoch; epoch > newestEpoch - SIGNER_EPOCHS_MAX && epoch >= 0; epoch -= 1) {
    if ((await operatorAt(epoch)) === signer) return epoch;
  }
  return undefined;
}
