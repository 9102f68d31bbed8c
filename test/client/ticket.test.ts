import { randomBytes } from "node:crypto";
import { type DealHeader, readTicketMessage, type TicketEnvelope } from "@ppio/core";
import { expect } from "chai";
import { hexlify, Wallet } from "ethers";
import { issueTicket } from "../../client/dist/get/ticket.js";

const HEADER: DealHeader = { k: 2, n: 4, cellBytes: 4096, lastCellBytes: 1024, rows: 4 };
const DOMAIN = { chainId: 31_337n, market: Wallet.createRandom().address };
const HOUR = 3_600;

describe("an owner's ticket", () => {
  const signer = Wallet.createRandom();

  async function issue(nowSeconds: number, seconds = 6 * HOUR): Promise<TicketEnvelope> {
    const clock = { nowMs: () => nowSeconds * 1000 } as Parameters<typeof issueTicket>[0]["clock"];
    const random = (length: number) => new Uint8Array(randomBytes(length));
    const dealId = hexlify(randomBytes(32));
    const value = await issueTicket({ domain: DOMAIN, signer, dealId, header: HEADER, seconds, clock, random });
    return JSON.parse(Buffer.from(value.replace("PPIO-Ticket ", ""), "base64url").toString()) as TicketEnvelope;
  }

  it("is signed, and covers the whole deal", async () => {
    const { ticket, signature } = await issue(1_800_000_000);
    expect([ticket.firstCell, ticket.cellCount]).to.deep.equal([0, 4]);
    expect(readTicketMessage.recover(DOMAIN, ticket, signature)).to.equal(signer.address);
  });

  it("ends at a full hour, five to six hours on, so that it does not tell when it was made", async () => {
    const fullHour = 500_000 * HOUR;
    for (const [nowSeconds, hours] of [
      [fullHour, 6],
      [fullHour + 1, 6],
      [fullHour + HOUR - 1, 6],
      [fullHour + HOUR, 7],
    ] as const) {
      expect((await issue(nowSeconds)).ticket.expiry).to.equal(fullHour + hours * HOUR);
    }
    expect((await issue(fullHour, 3)).ticket.expiry, "a very short one").to.equal(fullHour + 3);
  });
});
