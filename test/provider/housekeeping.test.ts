import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, PpioError } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import {
  Admission,
  checkIdentity,
  createBandwidth,
  createProviderMetrics,
  dropUnpaid,
  Inventory,
  type ProviderContext,
  ReservedUploads,
  SlotStore,
  settleSlots,
} from "@ppio/provider";
import { expect } from "chai";
import { type TransactionReceipt, Wallet } from "ethers";
import { codeOf, messageOf } from "../support/code-of.ts";
import { damageDesk, pricing, quietAlerts } from "../support/provider/desks.ts";
import { FakeLine, MARKET_ABI } from "../support/provider/fake-line.ts";
import { makeSlot, pieces, type TestSlot } from "../support/provider/slot.ts";
import { BOOK, CONFIG, DOMAIN, PROVIDER_ID } from "../support/provider/world.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const log = createLogger({ component: "test", write: () => undefined });
const HOUR = 3_600;

interface House {
  readonly line: FakeLine;
  readonly context: ProviderContext;
  readonly clock: { seconds: number };
  readonly settled: string[];
  readonly refusing: Map<string, ErrorCode>;
  held(slot: TestSlot): boolean;
  take(change?: { readonly offeredUntil?: number; readonly isSealed?: boolean }): Promise<TestSlot>;
}

async function openHouse(): Promise<House> {
  const line = new FakeLine();
  const clock = { seconds: 0 };
  const settled: string[] = [];
  const refusing = new Map<string, ErrorCode>();
  const now = (): number => clock.seconds * 1000;
  const store = await SlotStore.open({ dir: join(await temporaryFolder(), "slots"), capacityBytes: 1 << 24, log, now });
  const damage = await damageDesk(store, now);
  const send = async (_id: string, { data }: { readonly data: string }): Promise<TransactionReceipt> => {
    const dealId = String(MARKET_ABI.parseTransaction({ data })?.args[0]);
    const refusal = refusing.get(dealId);
    if (refusal !== undefined) throw new PpioError(refusal, "no");
    settled.push(dealId);
    return {} as TransactionReceipt;
  };
  const context: ProviderContext = {
    config: { ...CONFIG, undealtSeconds: HOUR },
    chain: line.connection(),
    domain: DOMAIN,
    operator: new Wallet(`0x${"42".repeat(32)}`),
    providerId: PROVIDER_ID,
    operatorEpoch: 1,
    store,
    sender: { send },
    damage,
    alerts: quietAlerts(),
    admission: new Admission(),
    reserved: new ReservedUploads(now),
    bandwidth: createBandwidth({ config: CONFIG, now: now }),
    pricing: pricing(CONFIG, store),
    metrics: createProviderMetrics(),
    log,
    now,
  };
  return {
    line,
    context,
    clock,
    settled,
    refusing,
    held: ({ meta }) => store.find(meta.uploadId) !== undefined,
    async take({ offeredUntil = 0, isSealed = true } = {}) {
      const slot = makeSlot();
      await store.create({ ...slot.meta, createdAt: now() });
      await store.append(slot.meta.uploadId, 0, pieces(slot.data.subarray(0, isSealed ? slot.data.length : 100)));
      if (isSealed) await store.seal(slot.meta.uploadId, slot.root, offeredUntil);
      return slot;
    },
  };
}

describe("housekeeping", () => {
  afterEach(removeTemporaryFolders);

  async function pass(house: House, seconds: number, chainSeconds = seconds): Promise<void> {
    house.clock.seconds = seconds;
    house.line.timestamp = chainSeconds;
    // As if the deals of all had changed: what rests is looked at too.
    for (const { uploadId } of house.context.store.list()) house.context.store.postpone(uploadId, 0);
    await dropUnpaid(house.context);
  }

  it("waits for a deal as long as an offer may be used and an hour more", async () => {
    const house = await openHouse();
    const slot = await house.take({ offeredUntil: 600 });
    await pass(house, 600 + HOUR);
    expect(house.held(slot)).to.equal(true);
    await pass(house, 601 + HOUR);
    expect(house.held(slot)).to.equal(false);
    expect(house.context.store.usedBytes).to.equal(0);
  });

  it("drops what a repairer brought when its reservation ends, unless an offer is out or the slot is here by then", async () => {
    const house = await openHouse();
    const [plain, offered, filled] = [await house.take(), await house.take({ offeredUntil: 600 }), await house.take()];
    for (const { meta } of [plain, offered, filled]) house.context.reserved.note(meta.uploadId, 120);
    house.line.fill(filled, 5n, { liveUntil: 5_000 });
    await pass(house, 120);
    expect([plain, offered, filled].map(house.held)).to.deep.equal([true, true, true]);
    await pass(house, 121);
    expect([plain, offered, filled].map(house.held)).to.deep.equal([false, true, true]);
    expect(house.context.reserved.endsAt(filled.meta.uploadId)).to.equal(undefined);
  });

  it("drops nothing because its node lags behind", async () => {
    const house = await openHouse();
    const slot = await house.take({ offeredUntil: 600 });
    await pass(house, 100 * HOUR, 700);
    expect(house.held(slot)).to.equal(true);
  });

  it("waits for an upload that moves, but not for ever", async () => {
    const house = await openHouse();
    const slot = await house.take({ isSealed: false });
    const { uploadId } = slot.meta;
    for (let hour = 1; hour <= 24; hour += 1) {
      await pass(house, hour * HOUR - 1);
      expect(house.held(slot), `hour ${hour}`).to.equal(true);
      await house.context.store.append(uploadId, 99 + hour, pieces(slot.data.subarray(99 + hour, 100 + hour)));
    }
    await pass(house, 24 * HOUR + 1);
    expect(house.held(slot)).to.equal(false);
  });

  it("keeps a slot that is paid for, remembers it, and drops it once readers and proofs are through", async () => {
    const house = await openHouse();
    const slot = await house.take({ offeredUntil: 600 });
    house.line.fill(slot, 5n, { liveUntil: 5_000 });
    await pass(house, 400_000);
    expect(house.held(slot)).to.equal(true);
    expect(house.context.store.isDealt(slot.meta.uploadId)).to.equal(true);
    house.line.end(slot, 4_001);
    // Period 4002 is under way: that of 4001 can still be proven.
    await pass(house, 400_150);
    expect(house.held(slot)).to.equal(true);
    await pass(house, 400_200);
    expect(house.held(slot)).to.equal(false);
    expect(house.context.store.isDealt(slot.meta.uploadId)).to.equal(false);
  });

  it("keeps a slot that it gave up or handed over while its last period can be proven, and no longer", async () => {
    const house = await openHouse();
    const slot = await house.take({ offeredUntil: 600 });
    house.line.fill(slot, 5n, { liveUntil: 9_000 });
    house.line.lose(slot.meta.dealId, slot.meta.slotIndex, 4_001);
    await pass(house, 400_150);
    expect(house.held(slot)).to.equal(true);
    await pass(house, 400_200);
    expect(house.held(slot)).to.equal(false);
  });

  it("drops a slot that went to another provider, after the wait", async () => {
    const house = await openHouse();
    const slot = await house.take({ offeredUntil: 600 });
    house.line.fill(slot, 5n, { providerId: PROVIDER_ID + 1 });
    await pass(house, 600);
    expect(house.held(slot)).to.equal(true);
    await pass(house, 601 + HOUR);
    expect(house.held(slot)).to.equal(false);
  });

  it("settles what is due, and one refusal keeps nobody else from its pay", async () => {
    const house = await openHouse();
    const [early, refused, lost, due, ended, other] = [makeSlot(), makeSlot(), makeSlot(), makeSlot(), makeSlot(), makeSlot()];
    house.line.fill(early, 1n, { settledTo: 40 });
    house.line.fill(refused, 1n);
    house.line.fill(lost, 1n);
    house.line.fill(due, 1n);
    house.line.fill(ended, 1n, { settledTo: 30, liveUntil: 33 });
    house.line.fill(other, 1n, { providerId: 99 });
    house.refusing.set(refused.meta.dealId, "CHAIN_REVERT");
    // Given up since it was looked at: WrongSlotStatus.
    house.refusing.set(lost.meta.dealId, "CONFLICT");
    house.line.at(50);
    const inventory = new Inventory(house.context.chain, PROVIDER_ID);
    await inventory.refresh();
    await settleSlots(house.context, inventory);
    expect(house.settled).to.deep.equal([due.meta.dealId, ended.meta.dealId]);
  });
});

describe("a data folder's identity", () => {
  afterEach(removeTemporaryFolders);

  it("is kept from the first start, and no other network or provider is let near the slots", async () => {
    const dir = await temporaryFolder();
    await checkIdentity(dir, BOOK, PROVIDER_ID);
    await checkIdentity(dir, BOOK, PROVIDER_ID);
    expect(await codeOf(checkIdentity(dir, BOOK, 8))).to.equal("CONFIG");
    expect(await codeOf(checkIdentity(dir, { ...BOOK, chainId: 1 }, PROVIDER_ID))).to.equal("CONFIG");
    const message = await messageOf(checkIdentity(dir, { ...BOOK, market: `0x${"99".repeat(20)}` }, PROVIDER_ID));
    expect(message).to.include(BOOK.market).and.include("another data folder");
    expect(JSON.parse(await readFile(join(dir, "identity.json"), "utf8"))).to.include({ providerId: PROVIDER_ID });
  });
});
