/**
 * Verified reads of one slot from its provider: the head's cell roots against the slot's root on the chain, now and then the operator's
 * signature over them, then every cell against its root. Nothing is returned before all of it holds.
 */
import {
  answerRootsHash,
  cellLength,
  cellRoots,
  type DealHeader,
  equalBytes,
  PpioError,
  readAnswerHead,
  readAnswerMessage,
  readCellSiblings,
  readTicketMessage,
  type SigningDomain,
  type TicketEnvelope,
  verifyCellRun,
} from "@ppio/core";
import { encodeBase64, hexlify, type Signer, ZeroAddress } from "ethers";
import type { SlotView } from "../chain/deal-view.ts";
import type { Clock, Random } from "../deps.ts";
import type { ProviderApi } from "../http/provider-api.ts";

/** Value of the `authorization` header for all cells of a deal. */
export async function issueTicket(options: {
  readonly domain: SigningDomain;
  readonly signer: Signer;
  readonly dealId: string;
  readonly header: DealHeader;
  readonly seconds: number;
  readonly clock: Clock;
  readonly random: Random;
}): Promise<string> {
  const ticket = {
    dealId: options.dealId,
    firstCell: 0,
    cellCount: options.header.rows,
    audience: ZeroAddress,
    expiry: Math.floor(options.clock.nowMs() / 1000) + options.seconds,
    nonce: hexlify(options.random(32)),
  };
  const envelope: TicketEnvelope = { ticket, signature: await readTicketMessage.sign(options.domain, ticket, options.signer) };
  const base64 = encodeBase64(new TextEncoder().encode(JSON.stringify(envelope)));
  return `PPIO-Ticket ${base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

export interface SlotReaderOptions {
  readonly api: ProviderApi;
  readonly domain: SigningDomain;
  readonly dealId: string;
  readonly header: DealHeader;
  readonly slot: SlotView;
  readonly authorization: string;
  /**
   * The bytes are held against the chain in any case. The signature only makes a lie provable, so it costs a provider that leaves it
   * out its reader when it is looked for now and then.
   */
  readonly isSignatureChecked: boolean;
  /** The operator that must have signed, asked again when another one has: keys are rotated. */
  readonly currentOperator: () => Promise<string>;
}

/** Cells [firstRow, firstRow + rowCount) of the slot, back to back. @throws CORRUPT when the provider's answer does not hold */
export async function readCells(options: SlotReaderOptions, firstRow: number, rowCount: number, signal: AbortSignal): Promise<Uint8Array> {
  const { header, slot } = options;
  const total = (rowCount - 1) * header.cellBytes + cellLength(header, firstRow + rowCount - 1);
  const request = { dealId: options.dealId, slotIndex: slot.slotIndex, offset: firstRow * header.cellBytes, length: total };
  const answer = await options.api.readSlot({ ...request, authorization: options.authorization }, signal);
  try {
    const head = await readAnswerHead(answer.readExactly, rowCount);
    const roots = new Uint8Array(32 * rowCount);
    head.cellRoots.forEach((root, at) => {
      roots.set(root, 32 * at);
    });
    verifyCellRun(header, slot.root, firstRow, roots, head.siblings);
    if (options.isSignatureChecked) {
      await checkSignature(options, firstRow, answerRootsHash(head.cellRoots, head.siblings), head.servedAt, head.signature);
    }
    const cells = new Uint8Array(total);
    for (let at = 0; at < total; at += header.cellBytes) {
      if ((await readCellSiblings(answer.readExactly)).length !== 0) {
        throw new PpioError("CORRUPT", `Provider ${slot.provider.providerId} sent siblings with a whole cell; another provider is asked.`);
      }
      await answer.readInto(cells.subarray(at, at + header.cellBytes));
    }
    await answer.end();
    if (!equalBytes(cellRoots(header, firstRow, cells), roots)) {
      throw new PpioError(
        "CORRUPT",
        `Provider ${slot.provider.providerId} sent bytes that do not match the slot; another provider is asked.`,
      );
    }
    return cells;
  } finally {
    await answer.close();
  }
}

async function checkSignature(
  options: SlotReaderOptions,
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
