/** Reads that cost money, over HTTP: what is refused and with which words, and what a voucher buys. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeVoucher, parsePaymentDetails, readCostWei, voucherMessage } from "@ppio/core";
import { FORGIVE_MS } from "@ppio/provider";
import { expect } from "chai";
import { Wallet } from "ethers";
import { newChain, openDesk, PAY_DOMAIN, PAYEE, type PaidChain, PRICE_WEI } from "../support/provider/paid-stream.ts";
import { call, read, startWorld, store, ticketHeaders, type Upload, type World } from "../support/provider/world.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const BYTES = 4_096;
const COST_WEI = readCostWei(PRICE_WEI, BYTES);
const CREDIT_WEI = readCostWei(PRICE_WEI, 1 << 20);
const [payer, key] = [Wallet.createRandom(), Wallet.createRandom()];

describe("paid reads", () => {
  let world: World;
  let chain: PaidChain;
  let desk: Awaited<ReturnType<typeof openDesk>>;
  let upload: Upload;
  let ticket: Record<string, string>;

  const start = async (priceWei = PRICE_WEI): Promise<void> => {
    chain = newChain();
    const dir = await temporaryFolder();
    world = await startWorld({
      payments: async ({ now }) => {
        desk = await openDesk(dir, chain, now, priceWei);
        return desk.desk;
      },
    });
    upload = await store(world);
    ticket = await ticketHeaders(world, upload);
  };
  afterEach(async () => {
    await world.close();
    await desk.desk.close();
  });
  after(removeTemporaryFolders);

  interface Shown {
    readonly wei: bigint;
    readonly signer?: { signTypedData: typeof key.signTypedData };
    readonly payee?: string;
    readonly priceWei?: bigint;
  }
  const voucher = async ({ wei, signer = key, payee = PAYEE, priceWei = PRICE_WEI }: Shown): Promise<Record<string, string>> => {
    const message = { payer: payer.address, payee, cumulativeWei: wei };
    const signature = await voucherMessage.sign(PAY_DOMAIN, message, signer as typeof key);
    return { "ppio-voucher": encodeVoucher({ ...message, pricePerGibWei: priceWei, signature }) };
  };
  const readWith = async (headers: Record<string, string>) => {
    const response = await read(world, upload, 0, BYTES, { ...ticket, ...headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const { error } = response.ok
      ? { error: undefined }
      : (JSON.parse(new TextDecoder().decode(bytes)) as { error?: { code: string; message: string; details: Record<string, unknown> } });
    return {
      status: response.status,
      code: error?.code,
      message: error?.message ?? "",
      details: parsePaymentDetails(error?.details ?? {}),
    };
  };

  it("are announced, and refused without a voucher in a sentence that says what is owed, by whom to whom, and what to do", async () => {
    await start();
    const { body } = await call(world, "GET", "/v1/info");
    expect(body["reads"]).to.deep.equal({
      pricePerGibWei: String(PRICE_WEI),
      payee: PAYEE,
      escrow: PAY_DOMAIN.escrow,
      creditBytes: 1 << 20,
    });
    const refused = await readWith({});
    expect([refused.status, refused.code]).to.deep.equal([402, "PAYMENT_REQUIRED"]);
    expect(refused.message).to.equal(
      `Reads cost ${PRICE_WEI} wei per GiB here: for ${BYTES} more bytes the payer owes ${COST_WEI} wei in all to ${PAYEE}, ` +
        "vouchers pay 0; deposit a reserve into the escrow and send a voucher in the header ppio-voucher.",
    );
    expect(refused.details).to.include({ reason: "missing", owedWei: 0n, paidWei: 0n, neededWei: 0n });
    expect(chain.asked).to.equal(0);
  });

  it("need a ticket before they need money", async () => {
    await start();
    const response = await read(world, upload, 0, BYTES, await voucher({ wei: COST_WEI }));
    expect(response.status).to.equal(403);
    await response.arrayBuffer();
    expect(desk.ledger.size).to.equal(0);
  });

  it("are served for a voucher, which is on the disk by then, with one question to the chain", async () => {
    await start();
    for (let count = 1n; count <= 5n; count += 1n) {
      expect((await readWith(await voucher({ wei: count * COST_WEI }))).status).to.equal(200);
      expect(desk.ledger.all().map(({ cumulativeWei, key: signer }) => [cumulativeWei, signer])).to.deep.equal([
        [count * COST_WEI, key.address],
      ]);
    }
    expect(chain.asked).to.equal(1);
  });

  it("are served on credit up to the window, then say what is missing, and forgive it after a long silence", async () => {
    await start();
    const reads = Number(CREDIT_WEI / COST_WEI);
    const free = await voucher({ wei: 0n });
    for (let count = 0; count < reads; count += 1) expect((await readWith(free)).status).to.equal(200);
    const owedWei = BigInt(reads) * COST_WEI;
    const refused = await readWith(free);
    expect(refused.details).to.include({ reason: "short", owedWei, paidWei: 0n, neededWei: owedWei + COST_WEI - CREDIT_WEI });
    expect(refused.message).to.include(`${payer.address} owes ${owedWei + COST_WEI} wei in all to ${PAYEE}, vouchers pay 0`);
    expect((await readWith(await voucher({ wei: refused.details?.neededWei ?? 0n }))).status).to.equal(200);
    world.clock.nowMs += FORGIVE_MS + 1;
    ticket = await ticketHeaders(world, upload);
    expect((await readWith(free)).status).to.equal(200);
  });

  it("do not charge for what turns out to be damaged", async () => {
    await start();
    const path = join(world.dir, "slots", upload.id, "data");
    const data = await readFile(path);
    data[0] = (data[0] ?? 0) ^ 1;
    await writeFile(path, data);
    expect((await readWith(await voucher({ wei: COST_WEI }))).code).to.equal("CORRUPT");
    chain.promise = { ...chain.promise, payableWei: 0n };
    world.clock.nowMs += 61_000;
    expect((await readWith(await voucher({ wei: COST_WEI }))).details).to.include({ reason: "reserve", owedWei: 0n, paidWei: COST_WEI });
  });

  it("name the terms to who reckons with others", async () => {
    await start();
    for (const wrong of [{ priceWei: PRICE_WEI - 1n }, { payee: Wallet.createRandom().address }]) {
      const refused = await readWith(await voucher({ wei: COST_WEI, ...wrong }));
      expect(refused.details?.reason).to.equal("terms");
      expect(refused.details?.terms).to.deep.equal(desk.desk.terms);
    }
  });

  it("are refused for what the payer's account does not carry, and served once it does", async () => {
    await start();
    const good = chain.promise;
    const cases = [
      ["unknown-key", { ...good, serveUntil: 0 }],
      ["ended", { ...good, serveUntil: Math.floor(world.clock.nowMs / 1000) }],
      ["reserve", { ...good, payableWei: COST_WEI - 1n }],
      ["cap", { ...good, capLeftWei: COST_WEI - 1n }],
      ["bond", { ...good, bondWei: 24n * COST_WEI - 1n }],
    ] as const;
    for (const [reason, promise] of cases) {
      chain.promise = promise;
      world.clock.nowMs += 2_000;
      expect((await readWith(await voucher({ wei: COST_WEI }))).details?.reason).to.equal(reason);
      expect(desk.ledger.size, reason).to.equal(0);
    }
    chain.promise = { ...good, bondWei: 24n * COST_WEI, payableWei: COST_WEI, capLeftWei: COST_WEI };
    world.clock.nowMs += 2_000;
    expect((await readWith(await voucher({ wei: COST_WEI }))).status).to.equal(200);
  });

  it("ban for a while who sends broken vouchers, and ask the chain no more for it", async () => {
    await start();
    chain.promise = { ...chain.promise, serveUntil: 0 };
    const codes: (string | undefined)[] = [];
    for (let count = 0; count < 10; count += 1) {
      codes.push((await readWith(await voucher({ wei: COST_WEI, signer: Wallet.createRandom() }))).code);
    }
    expect(codes).to.deep.equal([...Array(8).fill("PAYMENT_REQUIRED"), "REFUSED", "REFUSED"]);
    const { asked } = chain;
    expect((await readWith({ "ppio-voucher": "broken" })).code).to.equal("REFUSED");
    expect(chain.asked).to.equal(asked);
    world.clock.nowMs += 60_000;
    expect((await readWith({ "ppio-voucher": "broken" })).code).to.equal("BAD_FORMAT");
  });

  it("go on for a while when the chain does not answer, for who is known", async () => {
    await start();
    expect((await readWith(await voucher({ wei: COST_WEI }))).status).to.equal(200);
    chain.isDown = true;
    world.clock.nowMs += 31_000;
    expect((await readWith(await voucher({ wei: 2n * COST_WEI }))).status).to.equal(200);
    world.clock.nowMs += 31_000;
    expect((await readWith(await voucher({ wei: 3n * COST_WEI }))).code).to.equal("CHAIN_UNREACHABLE");
  });

  it("cost nothing where the price is 0, and say so to who pays still", async () => {
    await start(0n);
    expect((await readWith({})).status).to.equal(200);
    const refused = await readWith(await voucher({ wei: COST_WEI }));
    expect([refused.details?.reason, refused.details?.terms.pricePerGibWei]).to.deep.equal(["terms", 0n]);
    expect(desk.ledger.size).to.equal(0);
  });
});
