/** A verifier's reads: what it is given to read with, what it draws, and what it makes of answers. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  createMemoryPayStore,
  createPayer,
  type Payer,
  type PaymentReason,
  PpioError,
  paymentDetailsBody,
  type ReadTicket,
  type TicketEnvelope,
  type Transport,
  ticketAuthorization,
} from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { expect } from "chai";
import { concat, getAddress, getBytes, hexlify, Wallet } from "ethers";
import { type CanaryGrant, loadGrants, parseGrant } from "../../oracle/dist/verifier/grants.js";
import { probe } from "../../oracle/dist/verifier/probe.js";
import { drawRead, type Target } from "../../oracle/dist/verifier/targets.js";
import { codeOf } from "../support/code-of.ts";
import { Canary, HOUR_SECONDS as HOUR } from "../support/oracle/canary.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const canary = new Canary();
const { domain: DOMAIN, dealId: DEAL, header: HEADER, owner, operator } = canary;
const NOW = 1_800_000_000;
const ESCROW = getAddress(`0x${"e5".repeat(20)}`);

const ticketOf = (change: Partial<ReadTicket> = {}, by = owner) => canary.ticket(NOW, change, by);
const grantJson = (tickets: readonly TicketEnvelope[], change: object = {}) => canary.grant(tickets, change);
const targetOf = (grant: CanaryGrant): Target => ({
  ...{ grant, dealId: DEAL, slotIndex: 1, providerId: 7, header: HEADER, root: canary.root },
});

describe("canary grants", () => {
  afterEach(removeTemporaryFolders);
  const lines: string[] = [];
  const log = createLogger({ component: "test", level: "warn", write: (line) => lines.push(line) });
  const source = (places: readonly string[]) => ({ domain: DOMAIN, places, log, signal: new AbortController().signal });
  beforeEach(() => {
    lines.length = 0;
  });

  it("are read, and refused when they are for another network, deal or reader", async () => {
    const good = await ticketOf();
    expect(parseGrant(DOMAIN, grantJson([good])).tickets).to.deep.equal([good]);
    const otherDeal = await ticketOf({ dealId: hexlify(randomBytes(32)) });
    const forOne = await ticketOf({ audience: operator.address });
    for (const bad of [
      grantJson([good], { version: 2 }),
      grantJson([good], { chainId: 1 }),
      grantJson([good], { market: owner.address }),
      grantJson([good], { dealId: "0x12" }),
      grantJson([]),
      grantJson([otherDeal]),
      grantJson([forOne]),
      grantJson([{ ...good, signature: "0x" }]),
      grantJson([{ ...good, ticket: { ...good.ticket, cellCount: -1 } }]),
      null,
      [],
    ]) {
      expect(await codeOf(Promise.resolve().then(() => parseGrant(DOMAIN, bad)))).to.equal("BAD_FORMAT");
    }
  });

  it("come from a folder and from an address; what does not hold is left out and told of", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.json"), JSON.stringify(grantJson([await ticketOf()])));
    await writeFile(join(folder, "b.json"), "{}");
    await writeFile(join(folder, "notes.txt"), "not a grant");
    const list = JSON.stringify([grantJson([await ticketOf()]), grantJson([], { version: 9 })]);
    const server = createServer((_request, response) => void response.end(list)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/grants`;
    try {
      expect(await loadGrants(source([folder, url, join(folder, "none")]))).to.have.length(2);
    } finally {
      server.close();
    }
    expect(lines).to.have.length(3);
  });

  it("give tickets that look like a customer's first, then any that holds, and never one that its owner did not sign", async () => {
    const [usual, fresher, long, past] = await Promise.all([3, 5, 40, -1].map((hours) => ticketOf({ expiry: NOW + hours * HOUR })));
    const grant = parseGrant(DOMAIN, grantJson([long, usual, past, fresher] as TicketEnvelope[]));
    const drawn = (one: CanaryGrant) => drawRead([targetOf(one)], new Uint8Array(randomBytes(32)), DOMAIN, NOW);
    for (let turn = 0; turn < 20; turn += 1) {
      const { ticket, firstRow, rowCount } = drawn(grant);
      expect(ticket).to.deep.equal(fresher);
      expect(firstRow + rowCount).to.be.within(1, HEADER.rows);
    }
    expect(drawn(parseGrant(DOMAIN, grantJson([long, past] as TicketEnvelope[]))).ticket).to.deep.equal(long);
    for (const bad of [past, await ticketOf({}, operator), await ticketOf({ firstCell: 4, cellCount: 0 })]) {
      const grantOfBad = parseGrant(DOMAIN, grantJson([bad] as TicketEnvelope[]));
      expect(await codeOf(Promise.resolve().then(() => drawn(grantOfBad)))).to.equal("NOT_FOUND");
    }
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe("a probe", () => {
  let grant: CanaryGrant;
  before(async () => {
    grant = parseGrant(DOMAIN, grantJson([await ticketOf()]));
  });

  interface Answer {
    readonly status?: number;
    readonly body: Uint8Array;
  }

  const honest = (change: Parameters<Canary["answer"]>[2] = {}) => canary.answer(1, 3, change);

  const run = (answer: () => Promise<Answer>, paying: { readonly payer?: Payer; readonly owner?: string } = {}) => {
    const asked: string[] = [];
    const transport: Transport = {
      async request({ url, headers }) {
        asked.push(`${url} ${headers?.["authorization"]}`);
        const { status = 200, body } = await answer();
        return { status, body: once(body) };
      },
    };
    const [ticket] = grant.tickets;
    if (ticket === undefined) throw new Error("no ticket");
    let clock = 0;
    const nowMs = () => {
      clock += 40;
      return clock;
    };
    const read = { target: targetOf(grant), ticket, firstRow: 1, rowCount: 3 };
    const options = { read, endpoint: "http://provider", operator: operator.address, owner: "", domain: DOMAIN, transport, nowMs };
    return { asked, result: probe({ ...options, ...paying, signal: new AbortController().signal }) };
  };

  it("is served when every byte holds, and is timed until the head and after it", async () => {
    const { asked, result } = run(async () => ({ body: await honest() }));
    const { outcome, firstByteMs, bodyMs, bytes } = await result;
    expect({ outcome, firstByteMs, bodyMs, bytes }).to.deep.equal({ outcome: "served", firstByteMs: 40, bodyMs: 40, bytes: 9216 });
    const [ticket] = grant.tickets;
    expect(asked).to.deep.equal([
      `http://provider/v1/deals/${DEAL}/slots/1?offset=4096&length=9216 ${ticket === undefined ? "" : ticketAuthorization(ticket)}`,
    ]);
  });

  it("is false when a byte contradicts the slot's root, or more comes than was asked for", async () => {
    const cells = canary.bytes.slice();
    cells[9000] = (cells[9000] ?? 0) ^ 1;
    expect((await run(async () => ({ body: await honest({ cells }) })).result).outcome).to.equal("false");
    expect((await run(async () => ({ body: getBytes(concat([await honest(), "0x00"])) })).result).outcome).to.equal("false");
  });

  it("keeps what the operator signed when that contradicts the slot's root, and nothing that somebody else signed", async () => {
    const roots = canary.roots.slice();
    roots[40] = (roots[40] ?? 0) ^ 1;
    const lying = await run(async () => ({ body: await honest({ roots }) })).result;
    expect([lying.outcome, lying.lie?.signer, lying.lie?.answer.firstCell]).to.deep.equal(["false", operator.address, 1]);
    const forged = await run(async () => ({ body: await honest({ roots, signer: owner }) })).result;
    expect([forged.outcome, forged.lie]).to.deep.equal(["false", undefined]);
  });

  it("fails when nobody answers for it: no signature, a refusal, damage that it admits, a cut, no answer", async () => {
    const unsigned = await run(async () => ({ body: await honest({ signer: owner }) })).result;
    expect([unsigned.outcome, unsigned.isUnheard]).to.deep.equal(["failed", false]);
    for (const [status, code] of [
      [403, "REFUSED"],
      [422, "CORRUPT"],
      [404, "NOT_FOUND"],
    ] as const) {
      const body = new TextEncoder().encode(JSON.stringify({ error: { code, message: "no" } }));
      const { outcome, isUnheard } = await run(async () => ({ status, body })).result;
      expect([outcome, isUnheard]).to.deep.equal(["failed", false]);
    }
    expect((await run(async () => ({ body: (await honest()).subarray(0, 3000) })).result).outcome).to.equal("failed");
    const away = await run(() => Promise.reject(new PpioError("NETWORK", "nothing listens there"))).result;
    expect([away.outcome, away.isUnheard]).to.deep.equal(["failed", true]);
  });

  describe("of a provider that wants to be paid", () => {
    const SELLER = Wallet.createRandom().address;
    const terms = { pricePerGibWei: 1n << 30n, payee: SELLER, escrow: ESCROW, creditBytes: 0 };
    const refusal = (reason: PaymentReason) => {
      const details = paymentDetailsBody({ reason, terms, owedWei: 0n, paidWei: 0n, neededWei: 0n });
      return {
        status: 402,
        body: new TextEncoder().encode(JSON.stringify({ error: { code: "PAYMENT_REQUIRED", message: "pay", details } })),
      };
    };
    const account = () => {
      const [payer, key] = [Wallet.createRandom(), Wallet.createRandom()];
      const signs = { privateKey: key.privateKey, address: key.address, expiry: 4_000_000_000 };
      return { payer: payer.address, key: signs, maxPricePerGibWei: 1n << 30n, streams: [] };
    };
    const payerWith = (bondWei: bigint, mayPay: () => Promise<boolean> = async () => true) => {
      const promise = { payableWei: 10n ** 9n, capLeftWei: 10n ** 9n, redeemedWei: 0n, bondWei, serveUntil: 4_000_000_000 };
      return createPayer({
        ...{ domain: { chainId: 1n, escrow: ESCROW }, store: createMemoryPayStore(account()), nowMs: () => 0, hint: "pay", mayPay },
        funds: { spendableWei: async () => 10n ** 9n, promiseOf: async () => promise },
      });
    };
    const unpaidThenServed = () => {
      let asked = 0;
      return async () => (asked++ === 0 ? refusal("missing") : { body: await honest() });
    };

    it("is served like any other once it is paid", async () => {
      const { outcome } = await run(unpaidThenServed(), { payer: payerWith(10n ** 9n), owner: SELLER }).result;
      expect(outcome).to.equal("served");
    });

    it("does not count when we could not pay: without an account, over the budget, with a bond that is too small", async () => {
      const none = await run(unpaidThenServed(), { owner: SELLER }).result;
      expect(none.isUnpaid).to.equal(true);
      expect(none.reason).to.include("there is no reserve to pay it from");
      const broke = { payer: payerWith(10n ** 9n, async () => false), owner: SELLER };
      expect((await run(unpaidThenServed(), broke).result).isUnpaid).to.equal(true);
      expect((await run(async () => refusal("bond"), { payer: payerWith(1n), owner: SELLER }).result).isUnpaid).to.equal(true);
    });

    it("fails when it refuses a payment that is right, or wants another to be paid", async () => {
      for (const [reason, owner] of [
        ["bond", SELLER],
        ["unknown-key", SELLER],
        ["terms", SELLER],
        ["missing", Wallet.createRandom().address],
      ] as const) {
        const { outcome, isUnpaid } = await run(async () => refusal(reason), { payer: payerWith(10n ** 9n), owner }).result;
        expect([outcome, isUnpaid], reason).to.deep.equal(["failed", false]);
      }
    });
  });
});
