import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { dealHeaderHash, leafCountOf, type Offer, type OfferBody, offerMessage, payForSlot, slotBytes } from "@ppio/core";
import { expect } from "chai";
import { Wallet } from "ethers";
import { HEADER } from "../support/provider/slot.ts";
import { verified } from "../support/provider/verified.ts";
import {
  call,
  DOMAIN,
  makeUpload,
  put,
  read,
  startWorld,
  store,
  TERMS,
  ticketHeaders,
  type Upload,
  type World,
} from "../support/provider/world.ts";
import { rawHttp } from "../support/raw-http.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);

describe("a provider over HTTP", () => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld();
  });

  afterEach(async () => {
    await world.close();
    await removeTemporaryFolders();
  });

  describe("taking a slot in", () => {
    const openUpload = (upload: Upload) => call(world, "POST", "/v1/uploads", upload.body);
    const finish = (upload: Upload, change: object = {}) =>
      call(world, "POST", `/v1/uploads/${upload.id}/finish`, { root: upload.root, ...TERMS, ...change });

    it("takes it in pieces, says where to resume, and signs an offer that the contract's own types verify", async () => {
      const upload = await makeUpload(world);
      expect((await openUpload(upload)).body).to.deep.equal({
        uploadId: upload.id,
        receivedBytes: 0,
        slotBytes: TOTAL,
        stepBytesMax: 1 << 20,
      });
      expect((await put(world, upload.id, 0, upload.data.subarray(0, 5_000))).body["receivedBytes"]).to.equal(5_000);
      expect((await openUpload(upload)).body["receivedBytes"], "opening again finds it").to.equal(5_000);
      expect((await call(world, "GET", `/v1/uploads/${upload.id}`)).body["receivedBytes"]).to.equal(5_000);
      expect((await put(world, upload.id, 5_000, upload.data.subarray(5_000))).status).to.equal(200);
      const { status, body } = await finish(upload);
      expect(status).to.equal(200);
      const offer = body as unknown as OfferBody;
      const pay = payForSlot(world.context.config.pricePerGibPeriodWei, TOTAL);
      expect(offer).to.include({ root: upload.root, leafCount: leafCountOf(HEADER), payPerPeriodWei: String(pay), operatorEpoch: 3 });
      const { owner, payer, dealSalt } = upload.body.request;
      const signed: Offer = {
        ...offer,
        ...{ owner, payer, dealSalt, slotIndex: upload.slotIndex, k: HEADER.k, n: HEADER.n, headerHash: dealHeaderHash(HEADER) },
        payPerPeriodWei: pay,
        collateralWei: BigInt(offer.collateralWei),
      };
      expect(signed.collateralWei).to.equal(pay * 200n);
      expect(offerMessage.recover(DOMAIN, signed, offer.signature)).to.equal(world.operator.address);
      expect(world.context.store.find(upload.id)?.meta.offeredUntil, "kept as long as it binds").to.equal(offer.expiry);
      expect((await finish(upload)).status, "finishing again is harmless").to.equal(200);
      expect((await openUpload(upload)).body["receivedBytes"]).to.equal(TOTAL);
    });

    it("takes nothing that is not signed by its owner for this provider now", async () => {
      const stranger = Wallet.createRandom();
      expect((await openUpload(await makeUpload(world, {}, HEADER, stranger))).code).to.equal("UNAUTHORIZED");
      expect((await openUpload(await makeUpload(world, { providerId: 8 }))).code).to.equal("UNAUTHORIZED");
      expect((await openUpload(await makeUpload(world, { expiry: world.expiry() - 601 }))).code).to.equal("UNAUTHORIZED");
      const changed = await makeUpload(world);
      const request = { ...changed.body.request, slotIndex: 2 };
      expect((await openUpload({ ...changed, body: { ...changed.body, request } })).code).to.equal("UNAUTHORIZED");
      expect((await openUpload({ ...changed, body: { ...changed.body, signature: "0x00" } })).code).to.equal("UNAUTHORIZED");
      expect(world.context.store.list()).to.deep.equal([]);
    });

    it("takes no header that does not fit the request", async () => {
      for (const change of [{ k: 3 }, { n: 5 }, { slotIndex: 4 }, { headerHash: `0x${"00".repeat(32)}` }]) {
        expect((await openUpload(await makeUpload(world, change))).code).to.equal("BAD_FORMAT");
      }
      const upload = await makeUpload(world);
      expect((await openUpload({ ...upload, body: { ...upload.body, header: `${upload.body.header}00` } })).code).to.equal("BAD_FORMAT");
    });

    it("takes nothing from a payer without funds, but a repair of a deal that is paid already", async () => {
      world.chain.balanceWei = payForSlot(world.context.config.pricePerGibPeriodWei, TOTAL) - 1n;
      const upload = await makeUpload(world);
      expect(await openUpload(upload)).to.include({ status: 402, code: "NO_FUNDS" });
      world.chain.dealStatus = 1n;
      expect((await openUpload(upload)).status).to.equal(200);
      await put(world, upload.id, 0, upload.data);
      expect((await finish(upload)).code, "a new deal of five periods costs more").to.equal("NO_FUNDS");
      const pays = String(payForSlot(world.context.config.pricePerGibPeriodWei, TOTAL));
      expect((await finish(upload, { payPerPeriodWei: pays })).status).to.equal(200);
    });

    it("takes no more than its capacity, than a payer's share, than the slot's size", async () => {
      const big = { ...HEADER, rows: 200 };
      expect((await openUpload(await makeUpload(world, {}, big))).code).to.equal("REFUSED");
      const huge = await startWorld({ config: { undealtBytesPerPayer: 1 << 30 } });
      const tooBig = await makeUpload(huge, {}, { ...HEADER, rows: 300 });
      expect(await call(huge, "POST", "/v1/uploads", tooBig.body)).to.include({ status: 507, code: "NO_SPACE" });
      await huge.close();
      const upload = await makeUpload(world);
      await openUpload(upload);
      expect(await put(world, upload.id, 0, new Uint8Array(TOTAL + 1))).to.include({ status: 413, code: "TOO_LARGE" });
      expect((await put(world, upload.id, 3, upload.data)).body["error"]).to.deep.include({ code: "CONFLICT" });
    });

    it("counts finished slots without a deal against the payer's share, until the deal is seen", async () => {
      const small = await startWorld({ config: { undealtBytesPerPayer: 2 * TOTAL } });
      const first = await store(small);
      await store(small);
      const third = await makeUpload(small);
      expect((await call(small, "POST", "/v1/uploads", third.body)).code).to.equal("REFUSED");
      small.context.store.markDealt(first.id, true);
      expect((await call(small, "POST", "/v1/uploads", third.body)).status).to.equal(200);
      await small.close();
    });

    it("says where an upload stands when the offset is wrong", async () => {
      const upload = await makeUpload(world);
      await openUpload(upload);
      await put(world, upload.id, 0, upload.data.subarray(0, 128));
      const { status, body } = await put(world, upload.id, 64, upload.data);
      expect(status).to.equal(409);
      expect((body["error"] as { details: unknown }).details).to.deep.equal({ receivedBytes: 128 });
      for (const offset of ["-1", "x", "1e3", "0&offset=1", "99999999999999999999"]) {
        const { code } = await call(world, "PUT", `/v1/uploads/${upload.id}?offset=${offset}`);
        expect(code, offset).to.equal("BAD_FORMAT");
      }
    });

    it("signs nothing for bytes that are missing or have another root, nor terms that it does not offer", async () => {
      const upload = await makeUpload(world);
      await openUpload(upload);
      await put(world, upload.id, 0, upload.data.subarray(0, 100));
      expect((await finish(upload)).code).to.equal("TRUNCATED");
      await put(world, upload.id, 100, new Uint8Array(TOTAL - 100));
      expect(await finish(upload)).to.include({ status: 422, code: "CORRUPT" });
      expect((await call(world, "GET", `/v1/uploads/${upload.id}`)).body["receivedBytes"]).to.equal(0);
      await put(world, upload.id, 0, upload.data);
      expect((await finish(upload, { periods: 0 })).code).to.equal("REFUSED");
      expect((await finish(upload, { periods: 1_001 })).code).to.equal("REFUSED");
      expect((await finish(upload, { renewUntil: 5_000 })).code).to.equal("REFUSED");
      expect((await finish(upload, { payPerPeriodWei: "1" })).code).to.equal("REFUSED");
      expect((await finish(upload, { payPerPeriodWei: "-1" })).code).to.equal("BAD_FORMAT");
      world.chain.freeCollateralWei = 1n;
      expect((await finish(upload)).code, "no collateral left").to.equal("REFUSED");
      expect(world.context.store.find(upload.id)?.meta.offeredUntil).to.equal(0);
    });

    it("counts on the same collateral for one offer at a time only", async () => {
      world.chain.freeCollateralWei = payForSlot(world.context.config.pricePerGibPeriodWei, TOTAL) * 300n;
      const first = await store(world);
      const second = await makeUpload(world);
      await openUpload(second);
      await put(world, second.id, 0, second.data);
      expect((await finish(second)).code).to.equal("REFUSED");
      expect((await finish(first)).status, "the same offer again").to.equal(200);
      world.clock.nowMs += 601_000;
      expect((await finish(second)).status, "the first one expired").to.equal(200);
      world.context.store.markDealt(second.id, true);
      expect((await finish(first)).status, "the second one is in the chain's own count now").to.equal(200);
    });

    it("forgets an upload for its owner only, and not while an offer is out", async () => {
      const upload = await makeUpload(world);
      await openUpload(upload);
      const other = await makeUpload(world);
      expect((await call(world, "DELETE", `/v1/uploads/${upload.id}`, other.body)).code).to.equal("NOT_FOUND");
      expect((await call(world, "DELETE", `/v1/uploads/${upload.id}`)).code).to.equal("BAD_FORMAT");
      expect((await call(world, "DELETE", `/v1/uploads/${upload.id}`, upload.body)).status).to.equal(204);
      expect(await readdir(join(world.dir, "slots"))).to.deep.equal([]);
      const offered = await store(world);
      expect((await call(world, "DELETE", `/v1/uploads/${offered.id}`, offered.body)).code).to.equal("CONFLICT");
    });

    it("keeps what a sender brought that then stalled or hung up, and lets it go on", async () => {
      await world.close();
      // Long enough for bytes that do come, on a busy machine.
      world = await startWorld({ limits: { stallMs: 1_000 } });
      const upload = await makeUpload(world);
      await openUpload(upload);
      const head = (offset: number) =>
        `PUT /v1/uploads/${upload.id}?offset=${offset} HTTP/1.1\r\nhost: x\r\ncontent-length: ${TOTAL - offset}\r\n\r\n`;
      expect(await rawHttp(world.port, head(0), upload.data.subarray(0, 4_000)))
        .to.include(" 504 ")
        .and.include("TIMEOUT");
      expect((await call(world, "GET", `/v1/uploads/${upload.id}`)).body["receivedBytes"]).to.equal(4_000);
      const socket = connect(world.port, "127.0.0.1");
      socket.write(head(4_000));
      await new Promise((resolve) => socket.write(upload.data.subarray(4_000, 8_000), resolve));
      socket.end();
      await once(socket.resume(), "close");
      // What had reached the process counts, what was still under way does not; either way the upload goes on, once the disk has the first.
      let answer = await put(world, upload.id, 4_000, upload.data.subarray(4_000));
      while (answer.status !== 200) {
        const { details } = answer.body["error"] as { details: { receivedBytes: number } };
        expect(details.receivedBytes).to.be.within(4_000, 8_000);
        answer = await put(world, upload.id, details.receivedBytes, upload.data.subarray(details.receivedBytes));
      }
      expect(answer.body["receivedBytes"]).to.equal(TOTAL);
      expect((await finish(upload)).status).to.equal(200);
    });

    it("serves many at once through few places", async () => {
      const narrow = await startWorld({ limits: { uploadBufferBytes: 1, readBufferBytes: 1, finishesAtOnce: 1, waitingMax: 50 } });
      const uploads = await Promise.all(Array.from({ length: 12 }, () => store(narrow)));
      const reads = await Promise.all(
        uploads.map(async (upload) => (await read(narrow, upload, 0, TOTAL, await ticketHeaders(narrow, upload))).arrayBuffer()),
      );
      for (const [at, upload] of uploads.entries()) {
        const bytes = new Uint8Array(reads[at] ?? new ArrayBuffer(0));
        expect(await verified(narrow, upload, bytes, 0, TOTAL)).to.deep.equal(upload.data);
      }
      await narrow.close();
    });
  });

  describe("telling about itself", () => {
    it("says who it is and what is free", async () => {
      await store(world);
      const { body } = await call(world, "GET", "/v1/info");
      expect(body).to.include({ version: 1, providerId: 7, operator: world.operator.address, chainId: 31_337, collateralPeriods: 200 });
      expect(body["freeBytes"]).to.equal((1 << 20) - TOTAL);
    });

    it("says what it takes, and takes nothing while something is wrong", async () => {
      const upload = await makeUpload(world);
      expect((await call(world, "GET", "/v1/ready")).status).to.equal(200);
      for (const hindrance of ["disk", "damage", "funds", "evicted", "exit", "slots"] as const) {
        world.context.admission.set(hindrance, true);
        const { body } = await call(world, "GET", "/v1/info");
        expect(body["freeBytes"]).to.equal(0);
        expect(body["policy"]).to.deep.include({ periodsMax: 1_000, isOpenToAll: true, hindrances: [hindrance] });
        expect((await call(world, "POST", "/v1/uploads", upload.body)).code, hindrance).to.equal("REFUSED");
        expect((await call(world, "GET", "/v1/ready")).status).to.equal(503);
        world.context.admission.set(hindrance, false);
      }
      await store(world);
    });

    it("signs no offer that it cannot keep any more, for a slot that came in before", async () => {
      const upload = await makeUpload(world);
      await call(world, "POST", "/v1/uploads", upload.body);
      await put(world, upload.id, 0, upload.data);
      world.context.admission.set("disk", true);
      const finish = () => call(world, "POST", `/v1/uploads/${upload.id}/finish`, { root: upload.root, ...TERMS });
      expect((await finish()).code).to.equal("REFUSED");
      world.context.admission.set("disk", false);
      expect((await finish()).status).to.equal(200);
    });

    it("is well while disk and chain are, and says which is not", async () => {
      expect((await call(world, "GET", "/v1/health")).body).to.include({ status: "ok", damagedSlots: 0 });
      world.chain.isDown = true;
      world.clock.nowMs += 2_000;
      expect(await call(world, "GET", "/v1/health")).to.deep.include({ status: 503 });
      world.chain.isDown = false;
      await rm(world.dir, { recursive: true });
      world.clock.nowMs += 2_000;
      const { status, body } = await call(world, "GET", "/v1/health");
      expect(status).to.equal(503);
      expect(body).to.include({ disk: "the data folder cannot be written", chain: "ok" });
    });

    it("counts", async () => {
      await store(world);
      const text = await (await fetch(`${world.url}/v1/metrics`)).text();
      expect(text)
        .to.include(`ppio_uploaded_bytes_total ${TOTAL}`)
        .and.include("ppio_offers_total 1")
        .and.include(`ppio_used_bytes ${TOTAL}`);
    });

    it("fails with a code, not with a crash, while the chain is away", async () => {
      world.chain.isDown = true;
      const { status, code } = await call(world, "POST", "/v1/uploads", (await makeUpload(world)).body);
      expect({ status, code }).to.deep.equal({ status: 503, code: "CHAIN_UNREACHABLE" });
      world.chain.isDown = false;
      await store(world);
    });
  });

  describe("against hostile input", () => {
    it("reads bodies strictly", async () => {
      const { body } = await makeUpload(world);
      for (const spoiled of [
        null,
        [],
        "text",
        {},
        { ...body, request: null },
        { ...body, header: 5 },
        { ...body, header: "0x" },
        { ...body, request: { ...body.request, owner: "0x1" } },
        { ...body, request: { ...body.request, slotIndex: -1 } },
        { ...body, request: { ...body.request, slotIndex: 1.5 } },
        { ...body, request: { ...body.request, expiry: "1" } },
        { ...body, request: { ...body.request, dealSalt: "0x12" } },
      ]) {
        expect((await call(world, "POST", "/v1/uploads", spoiled)).status, JSON.stringify(spoiled)).to.equal(400);
      }
      const broken = await fetch(`${world.url}/v1/uploads`, { method: "POST", headers: { "content-type": "application/json" }, body: "{" });
      expect(broken.status).to.equal(400);
      expect(await readdir(join(world.dir, "slots"))).to.deep.equal([]);
    });

    it("finds nothing behind a path that climbs", async () => {
      for (const path of [
        "/v1/uploads/..%2f..%2fetc%2fpasswd",
        "/v1/uploads/../../../etc/passwd",
        "/v1/uploads/__proto__",
        `/v1/uploads/${"a".repeat(64)}`,
        "/v1/deals/..%2f..%2fx/slots/0?offset=0&length=128",
        `/v1/deals/0x${"00".repeat(32)}/slots/%2e%2e?offset=0&length=128`,
      ]) {
        const answer = await rawHttp(world.port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
        expect(answer, path).to.match(/^HTTP\/1.1 40[04]/);
        expect(answer).not.to.include("root:");
      }
    });

    it("refuses giant headers and hangs up on half a request", async () => {
      await world.close();
      world = await startWorld({ limits: { bodyMs: 80 } });
      expect(await rawHttp(world.port, `GET /v1/info HTTP/1.1\r\nx: ${"a".repeat(40_000)}\r\n\r\n`)).to.match(/^HTTP\/1.1 431/);
      expect(
        await rawHttp(world.port, "POST /v1/uploads HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"),
      ).to.equal("");
    });
  });
});
