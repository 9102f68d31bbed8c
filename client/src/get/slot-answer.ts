/**
 * A provider's answer to a read of one slot: the head's cell roots against the slot's root on the chain, now and then the operator's
 * signature over them, then every cell against its root, unless the reader holds the cells to something else. Then the provider is told
 * that it need not hash them either.
 */
import {
  type AnswerHead,
  type AnswerReader,
  answerRootsHash,
  type DealHeader,
  NODE_BYTES,
  PpioError,
  type ProviderApi,
  readAnswerMessage,
  readVerifiedHead,
  readWholeCells,
  type SigningDomain,
  slotBytes,
} from "@ppio/core";
import { hexlify } from "ethers";
import type { SlotSource } from "../chain/deal-view.ts";

export interface SlotAnswerOptions {
  readonly api: ProviderApi;
  readonly domain: SigningDomain;
  readonly dealId: string;
  readonly header: DealHeader;
  readonly slot: SlotSource;
  readonly authorization: string;
  /**
   * The bytes are held against the chain in any case. The signature only makes a lie provable, so it costs a provider that leaves it
   * out its reader when it is looked for now and then.
   */
  readonly isSignatureChecked: boolean;
  /** Cells are checked together up to here; less is still in the cache when it is. */
  readonly checkedBytes: number;
  /** Whether cells are held against their roots from now on, here and by the provider. */
  readonly isChecked: () => boolean;
  /** Whether cells from `firstRow` on have these roots, 32 bytes each. */
  readonly hasRoots: (firstRow: number, cells: Uint8Array, roots: Uint8Array) => Promise<boolean>;
  /** Gets a head that contradicts the slot's root. */
  readonly onContradiction: (head: AnswerHead, firstCell: number) => Promise<void>;
  /** The operator that must have signed, asked again when another one has: keys are rotated. */
  readonly currentOperator: () => Promise<string>;
}

/** What a provider answered, its head verified. Cells are taken in order. */
export interface SlotAnswer {
  /** Fills `target` with the next cells, as many as it holds. @throws CORRUPT when they do not match the slot */
  readCells(target: Uint8Array): Promise<void>;
  /** @throws BAD_FORMAT when there is more */
  end(): Promise<void>;
  /** Gives up what was not taken. */
  close(): Promise<void>;
}

/** Asks for the cells of rows [firstRow, firstRow + rowCount). @throws CORRUPT when the answer's head does not hold */
export async function openSlotAnswer(
  options: SlotAnswerOptions,
  firstRow: number,
  rowCount: number,
  signal: AbortSignal,
): Promise<SlotAnswer> {
  const { header, slot } = options;
  const { cellBytes } = header;
  const length = Math.min(slotBytes(header), (firstRow + rowCount) * cellBytes) - firstRow * cellBytes;
  const { dealId, authorization, isChecked } = options;
  const range = { dealId, slotIndex: slot.slotIndex, offset: firstRow * cellBytes, length };
  const answer = await options.api.readSlot({ ...range, authorization, isCheckedByReader: !isChecked() }, signal);
  const who = `Provider ${slot.provider.providerId}`;
  let row = firstRow;
  const roots = await verifyHead(options, answer, firstRow, rowCount).catch(async (error) => {
    await answer.close();
    throw error;
  });
  return {
    async readCells(target) {
      const runBytes = cellBytes * Math.max(1, Math.floor(options.checkedBytes / cellBytes));
      for (let start = 0; start < target.length; start += runBytes) {
        const run = target.subarray(start, start + runBytes);
        const first = row;
        const cells = Array.from({ length: Math.ceil(run.length / cellBytes) }, (_, at) =>
          run.subarray(at * cellBytes, (at + 1) * cellBytes),
        );
        await readWholeCells(answer, cells, who);
        row += cells.length;
        const expected = roots.subarray(NODE_BYTES * (first - firstRow), NODE_BYTES * (row - firstRow));
        if (isChecked() && !(await options.hasRoots(first, run, expected))) {
          throw new PpioError("CORRUPT", `${who} sent bytes that do not match the slot; another provider is asked.`);
        }
      }
    },
    end: () => answer.end(),
    close: () => answer.close(),
  };
}

/** @returns the cells' roots, which belong to the slot */
async function verifyHead(options: SlotAnswerOptions, answer: AnswerReader, firstRow: number, rowCount: number): Promise<Uint8Array> {
  const { header, slot } = options;
  const { head, roots } = await readVerifiedHead(answer, { shape: header, root: slot.root, firstRow, rowCount }, (lying) =>
    options.onContradiction(lying, firstRow),
  );
  if (options.isSignatureChecked) {
    await checkSignature(options, firstRow, answerRootsHash(head.cellRoots, head.siblings), head.servedAt, head.signature);
  }
  return roots;
}

async function checkSignature(
  options: SlotAnswerOptions,
  firstCell: number,
  rootsHash: string,
  servedAt: number,
  signature: Uint8Array,
): Promise<void> {
  const { slot, dealId, domain } = options;
  const signed = { dealId, slotIndex: slot.slotIndex, firstCell, rootsHash, servedAt };
  const signer = readAnswerMessage.recover(domain, signed, hexlify(signature));
  if (signer !== undefined && (signer === slot.provider.operator || signer === (await options.currentOperator()))) return;
  throw new PpioError("CORRUPT", `Provider ${slot.provider.providerId} did not sign its answer; another provider is asked.`);
}
