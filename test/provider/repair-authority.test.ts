/** Who may repair: reads and uploads by the holder of an open reservation, bounded in bytes, and nobody else's. */
import { type RepairTicket, repairAuthorization, repairTicketMessage, slotBytes } from "@ppio/core";
import { expect } from "chai";
import { type HDNodeWallet, Wallet } from "ethers";
import { HEADER } from "../support/provider/slot.ts";
import { verified } from "../support/provider/verified.ts";
import {
  call,
  DOMAIN,
  makeUpload,
  PROVIDER_ID,
  put,
  read,
  startWorld,
  store,
  TERMS,
  type Upload,
  type World,
} from "../support/provider/world.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);
const RESERVED_SLOT = 2;

describe("a provider and repairers", () => {
  let world: World;
  let upload: Upload;
  let repairer: HDNodeWallet;

  beforeEach(async () => {
    world = await startWorld();
    upload = await store(world);
    repairer = Wallet.createRandom();
  });
  afterEach(async () => {
    await world.close();
    await removeTemporaryFolders();
  });

  const nowSeconds = (): number => Math.floor(world.clock.nowMs / 1000);
  const reserve = (by: HDNodeWallet, slotIndex = RESERVED_SLOT): void => {
    world.chain.reservation = { slotIndex, repairer: by.address, openedAt: nowSeconds(), until: nowSeconds() + 120 };
  };
  const headers = async (signer: HDNodeWallet, change: Partial<RepairTicket> = {}): Promise<Record<string, string>> => {
    const ticket = { providerId: PROVIDER_ID, dealId: upload.dealId, slotIndex: RESERVED_SLOT, expiry: world.expiry(), ...change };
    return { authorization: repairAuthorization({ ticket, signature: await repairTicketMessage.sign(DOMAIN, ticket, signer) }) };
  };
  const readWith = async (shown: Record<string, string>, offset = 0, length = TOTAL): Promise<string> => {
    const response = await read(world, upload, offset, length, shown);
    if (response.status === 200) return (await response.arrayBuffer()).byteLength > length ? "served" : "short";
    return ((await response.json()) as { error: { code: string } }).error.code;
  };

  describe("reading", () => {
    it("serves verified ranges to who holds a reservation of the deal", async () => {
      reserve(repairer);
      const response = await read(world, upload, 0, TOTAL, await headers(repairer));
      expect(response.status).to.equal(200);
      const bytes = await verified(world, upload, new Uint8Array(await response.arrayBuffer()), 0, TOTAL);
      expect(Buffer.from(bytes).equals(upload.data)).to.equal(true);
      expect(world.context.metrics.get("ppio_repair_served_bytes_total")).to.equal(TOTAL);
    });

    it("serves nothing to a peer without a reservation, however it signs", async () => {
      const peer = Wallet.createRandom();
      expect(await readWith(await headers(peer)), "none at all").to.equal("UNAUTHORIZED");
      reserve(repairer);
      world.clock.nowMs += 2_000;
      expect(await readWith(await headers(peer)), "another one's").to.equal("UNAUTHORIZED");
      expect(await readWith(await headers(world.operator)), "this provider's own key").to.equal("UNAUTHORIZED");
      expect(await readWith({ authorization: "PPIO-Repair nonsense" })).to.equal("UNAUTHORIZED");
    });

    it("takes no ticket for another provider, so that none can be passed on", async () => {
      reserve(repairer);
      expect(await readWith(await headers(repairer, { providerId: PROVIDER_ID + 1 }))).to.equal("UNAUTHORIZED");
    });

    it("takes no ticket for another deal, for a slot that is not reserved, or one that has expired", async () => {
      reserve(repairer);
      expect(await readWith(await headers(repairer, { dealId: `0x${"ab".repeat(32)}` }))).to.equal("UNAUTHORIZED");
      expect(await readWith(await headers(repairer, { slotIndex: RESERVED_SLOT + 1 }))).to.equal("UNAUTHORIZED");
      expect(await readWith(await headers(repairer, { expiry: nowSeconds() - 1 }))).to.equal("UNAUTHORIZED");
    });

    it("serves no longer than the reservation is open, and not what was refilled over it", async () => {
      reserve(repairer);
      expect(await readWith(await headers(repairer), 0, 128)).to.equal("served");
      world.clock.nowMs += 60_000;
      world.chain.reservation = undefined;
      expect(await readWith(await headers(repairer), 0, 128)).to.equal("UNAUTHORIZED");
      reserve(repairer);
      world.clock.nowMs += 121_000;
      expect(await readWith(await headers(repairer), 0, 128), "it ran out").to.equal("UNAUTHORIZED");
    });

    it("asks the chain once for many reads, and again soon when there was no reservation", async () => {
      reserve(repairer);
      for (let at = 0; at < 5; at += 1) expect(await readWith(await headers(repairer), 0, 128)).to.equal("served");
      expect(world.chain.reservationReads).to.equal(1);
      world.chain.reservation = undefined;
      world.clock.nowMs += 11_000;
      for (let at = 0; at < 5; at += 1) expect(await readWith(await headers(repairer), 0, 128)).to.equal("UNAUTHORIZED");
      expect(world.chain.reservationReads).to.equal(2);
      reserve(repairer);
      world.clock.nowMs += 1_001;
      expect(await readWith(await headers(repairer), 0, 128)).to.equal("served");
    });

    it("cannot be asked by strangers until its node is worn out", async () => {
      for (let at = 0; at < 20; at += 1) await readWith(await headers(Wallet.createRandom()), 0, 128);
      expect(world.chain.reservationReads).to.equal(1);
    });

    it("says so when the chain does not answer", async () => {
      world.chain.isDown = true;
      expect(await readWith(await headers(repairer))).to.equal("CHAIN_UNREACHABLE");
    });
  });

  describe("reading too much", () => {
    /** Reads until it is refused; returns the bytes that were served. */
    const drain = async (by: HDNodeWallet, length: number, change: Partial<RepairTicket> = {}): Promise<number> => {
      let bytes = 0;
      for (;;) {
        const outcome = await readWith(await headers(by, change), 0, length);
        if (outcome !== "served") {
          expect(outcome).to.equal("REFUSED");
          return bytes;
        }
        bytes += length;
      }
    };

    it("ends a little after what one repair needs, however often the slot is reserved again", async () => {
      reserve(repairer);
      const served = await drain(repairer, TOTAL);
      expect(served)
        .to.be.at.least(TOTAL)
        .and.at.most(1.5 * TOTAL + 65_536);
      for (let at = 0; at < 3; at += 1) {
        world.clock.nowMs += 11_000;
        reserve(repairer);
        expect(await drain(repairer, TOTAL)).to.equal(0);
      }
      world.clock.nowMs += 121_000;
      reserve(repairer);
      expect(await drain(repairer, TOTAL), "in the next window").to.be.at.least(TOTAL);
    });

    it("begins anew for who rebuilds another slot of the deal", async () => {
      reserve(repairer);
      expect(await drain(repairer, TOTAL)).to.be.at.least(TOTAL);
      const other = RESERVED_SLOT + 1;
      reserve(repairer, other);
      expect(await drain(repairer, TOTAL, { slotIndex: other })).to.be.at.least(TOTAL);
    });

    it("ends for all repairers of a slot together", async () => {
      let served = 0;
      for (let at = 0; at < 12; at += 1) {
        const other = Wallet.createRandom();
        reserve(other);
        world.clock.nowMs += 10_001 - (at === 0 ? 10_001 : 0);
        reserve(other);
        served += await drain(other, TOTAL);
      }
      expect(served).to.be.at.most(4 * TOTAL + 65_536);
    });
  });

  describe("taking a rebuilt slot in", () => {
    const open = async (signer: HDNodeWallet, change: Parameters<typeof makeUpload>[1] = {}) => {
      const rebuilt = await makeUpload(world, { slotIndex: 3, ...change }, HEADER, signer);
      return { rebuilt, reply: await call(world, "POST", "/v1/uploads", rebuilt.body) };
    };

    beforeEach(() => {
      world.chain.dealStatus = 1n;
      world.chain.balanceWei = 0n;
      world.chain.dealPayer = world.owner.address;
    });

    it("takes it from who holds the slot's reservation, at the pay and collateral that were before", async () => {
      reserve(repairer, 3);
      const { rebuilt, reply } = await open(repairer);
      expect(reply.status).to.equal(200);
      await put(world, rebuilt.id, 0, rebuilt.data);
      const finish = (change: object) =>
        call(world, "POST", `/v1/uploads/${rebuilt.id}/finish`, { root: rebuilt.root, ...TERMS, ...change });
      const pay = String(1n << 60n);
      const asked = (1n << 60n) * 300n;
      expect((await finish({ payPerPeriodWei: pay, minCollateralWei: String(asked * 10n) })).code, "beyond reason").to.equal("REFUSED");
      expect((await finish({ payPerPeriodWei: pay, minCollateralWei: "much" })).code).to.equal("BAD_FORMAT");
      const { body } = await finish({ payPerPeriodWei: pay, minCollateralWei: String(asked) });
      expect(BigInt(String(body["collateralWei"]))).to.equal(((asked + 999_999_999n) / 1_000_000_000n) * 1_000_000_000n);
    });

    it("bounds it by the reservation, not by what the deal's payer may upload, until the reservation ends", async () => {
      await world.close();
      // Room for one slot of the payer's own.
      world = await startWorld({ config: { undealtBytesPerPayer: TOTAL } });
      Object.assign(world.chain, { dealStatus: 1n, dealPayer: world.owner.address });
      const ofPayer = (): Promise<Upload> => makeUpload(world, { slotIndex: 1 });
      reserve(repairer, 3);
      expect((await open(repairer)).reply.status).to.equal(200);
      expect((await call(world, "POST", "/v1/uploads", (await ofPayer()).body)).status, "beside the repairer's").to.equal(200);
      expect((await call(world, "POST", "/v1/uploads", (await ofPayer()).body)).code, "a second one").to.equal("REFUSED");
      expect((await open(repairer)).reply.status, "of another deal").to.equal(200);
    });

    it("counts it as the payer's once the reservation has ended", async () => {
      await world.close();
      world = await startWorld({ config: { undealtBytesPerPayer: TOTAL } });
      Object.assign(world.chain, { dealStatus: 1n, dealPayer: world.owner.address });
      reserve(repairer, 3);
      expect((await open(repairer)).reply.status).to.equal(200);
      world.clock.nowMs += 121_000;
      const { body } = await makeUpload(world, { slotIndex: 1 });
      expect((await call(world, "POST", "/v1/uploads", body)).code).to.equal("REFUSED");
    });

    it("takes it from nobody else, nor for another slot, payer or header", async () => {
      expect((await open(repairer)).reply.code).to.equal("UNAUTHORIZED");
      reserve(repairer, 2);
      world.clock.nowMs += 2_000;
      expect((await open(repairer)).reply.code, "another slot").to.equal("UNAUTHORIZED");
      reserve(repairer, 3);
      world.clock.nowMs += 2_000;
      expect((await open(Wallet.createRandom())).reply.code).to.equal("UNAUTHORIZED");
      expect((await open(repairer, { payer: repairer.address })).reply.code, "another payer").to.equal("UNAUTHORIZED");
      world.chain.dealHeader = world.chain.dealHeader.replace(/..$/, "07");
      expect((await open(repairer)).reply.code, "another header").to.equal("UNAUTHORIZED");
      expect(world.context.store.list().length, "the one that it held before").to.equal(1);
    });
  });
});
