/** A repairer that is lied to: what the liar signed is kept, what nobody signed is not, and the read fails either way. */
import {
  answerReader,
  answerRootsHash,
  type DealHeader,
  encodeAnswerHead,
  type LieEvidence,
  rangeProofLength,
  readAnswerMessage,
  upperHeight,
} from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import { getBytes, Wallet } from "ethers";
import type { Peer, RepairContext } from "../../provider/dist/repair/context.js";
import type { DealSlot, RepairableDeal } from "../../provider/dist/repair/deal.js";
import { peerSource } from "../../provider/dist/repair/read-source.js";
import { codeOf } from "../support/code-of.ts";
import { DOMAIN } from "../support/provider/world.ts";

const HEADER: DealHeader = { k: 2, n: 4, cellBytes: 4_096, lastCellBytes: 4_096, rows: 5 };
const DEAL_ID = `0x${"ab".repeat(32)}`;
const PROVIDER_ID = 12;
const never = new AbortController().signal;

describe("a repairer that is lied to", () => {
  const operator = Wallet.createRandom();

  /** Reads row 2 of slot 1 from somebody who answers with roots of his own making. */
  async function read(options: { readonly signature?: Uint8Array; readonly keep?: () => Promise<void> } = {}) {
    const word = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
    const cellRoots = [word(1)];
    const siblings = Array.from({ length: rangeProofLength(upperHeight(HEADER), { first: 2, count: 1 }) }, (_, at) => word(at + 2));
    const answer = { dealId: DEAL_ID, slotIndex: 1, firstCell: 2, rootsHash: answerRootsHash(cellRoots, siblings), servedAt: 5 };
    const signature = options.signature ?? getBytes(operator.signingKey.sign(readAnswerMessage.digest(DOMAIN, answer)).serialized);
    const head = encodeAnswerHead({ cellRoots, siblings, servedAt: 5, signature });
    const kept: { providerId: number; evidence: LieEvidence }[] = [];
    const body = async function* () {
      yield head;
    };
    const context = {
      api: () => ({ readSlot: async () => answerReader(body()) }),
      domain: DOMAIN,
      log: createLogger({ component: "test", write: () => undefined }),
      lies: {
        keep: async (providerId: number, evidence: LieEvidence) => {
          await options.keep?.();
          kept.push({ providerId, evidence });
        },
      },
    } as unknown as RepairContext;
    const slot = { slotIndex: 1, root: word(9) } as unknown as DealSlot;
    const peer = { providerId: PROVIDER_ID, endpoint: "http://liar" } as Peer;
    const source = peerSource(context, { dealId: DEAL_ID, header: HEADER } as RepairableDeal, slot, peer, "ticket");
    const code = await codeOf(source.read(2 * HEADER.cellBytes, HEADER.cellBytes, never));
    return { code, kept, answer };
  }

  it("keeps what shows who signed it, and uses no byte", async () => {
    const { code, kept, answer } = await read();
    expect(code).to.equal("CORRUPT");
    expect(kept.map(({ providerId, evidence }) => [providerId, evidence.signer, evidence.answer])).to.deep.equal([
      [PROVIDER_ID, operator.address, answer],
    ]);
  });

  it("keeps nothing that nobody signed", async () => {
    const { code, kept } = await read({ signature: new Uint8Array(65) });
    expect([code, kept]).to.deep.equal(["CORRUPT", []]);
  });

  it("tells of the lie, not of the disk that cannot keep it", async () => {
    const { code } = await read({ keep: () => Promise.reject(new Error("disk full")) });
    expect(code).to.equal("CORRUPT");
  });
});
