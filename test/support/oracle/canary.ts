/** A canary slot of one test: its owner's tickets and grants, and what its provider answers. */
import { randomBytes } from "node:crypto";
import {
  answerRootsHash,
  cellRoots,
  cellRunProof,
  type DealHeader,
  encodeAnswerHead,
  encodeCellSiblings,
  type ReadTicket,
  readAnswerMessage,
  readTicketMessage,
  type SigningDomain,
  slotRoot,
  type TicketEnvelope,
} from "@ppio/core";
import { concat, getBytes, type HDNodeWallet, hexlify, Wallet, ZeroAddress } from "ethers";

export const HOUR_SECONDS = 3_600;

export class Canary {
  readonly domain: SigningDomain = { chainId: 31_337n, market: Wallet.createRandom().address };
  readonly dealId = hexlify(randomBytes(32));
  readonly slotIndex = 1;
  readonly owner = Wallet.createRandom();
  readonly operator = Wallet.createRandom();
  readonly header: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 1024, rows: 4 };
  readonly bytes = new Uint8Array(randomBytes(3 * 4096 + 1024));
  readonly roots = cellRoots(this.header, 0, this.bytes);
  readonly root = slotRoot(this.header, this.roots);

  /** For the whole slot and five hours from `nowSeconds` on, unless told otherwise. */
  async ticket(nowSeconds: number, change: Partial<ReadTicket> = {}, by: HDNodeWallet = this.owner): Promise<TicketEnvelope> {
    const ticket: ReadTicket = {
      ...{ dealId: this.dealId, firstCell: 0, cellCount: this.header.rows, audience: ZeroAddress },
      ...{ expiry: nowSeconds + 5 * HOUR_SECONDS, nonce: hexlify(randomBytes(32)) },
      ...change,
    };
    return { ticket, signature: await readTicketMessage.sign(this.domain, ticket, by) };
  }

  /** The document of a grant. */
  grant(tickets: readonly TicketEnvelope[], change: object = {}): object {
    const { domain, owner, dealId } = this;
    return { ...{ version: 1, chainId: 31_337, market: domain.market, owner: owner.address, dealId, tickets }, ...change };
  }

  /** What an honest provider answers to a read of whole cells. */
  async answer(
    firstRow: number,
    rowCount: number,
    change: { signer?: HDNodeWallet; cells?: Uint8Array; roots?: Uint8Array } = {},
  ): Promise<Uint8Array> {
    const { header } = this;
    const { roots = this.roots } = change;
    const rows = Array.from({ length: rowCount }, (_, at) => firstRow + at);
    const words = rows.map((row) => roots.subarray(32 * row, 32 * row + 32));
    const siblings = cellRunProof(header, roots, firstRow, rowCount);
    const signed = { dealId: this.dealId, slotIndex: this.slotIndex, firstCell: firstRow, servedAt: 5 };
    const rootsHash = answerRootsHash(words, siblings);
    const signature = getBytes(await readAnswerMessage.sign(this.domain, { ...signed, rootsHash }, change.signer ?? this.operator));
    const slot = change.cells ?? this.bytes;
    const parts = rows.flatMap((row) => [encodeCellSiblings([]), slot.subarray(4096 * row, 4096 * (row + 1))]);
    return getBytes(concat([encodeAnswerHead({ cellRoots: words, siblings, servedAt: 5, signature }), ...parts]));
  }
}
