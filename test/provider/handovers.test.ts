/** Taking slots over from a provider that leaves, over HTTP, with a chain that is a few maps. */
import {
  dealHeaderHash,
  dealIdOf,
  encodeDealHeader,
  type HandOver,
  handOverMessage,
  leafCountOf,
  type Offer,
  type OfferBody,
  offerMessage,
} from "@ppio/core";
import { uploadIdOf } from "@ppio/provider";
import { expect } from "chai";
import { type HDNodeWallet, hexlify, Wallet } from "ethers";
import { HEADER, makeSlot, type TestSlot } from "../support/provider/slot.ts";
import { call, DOMAIN, PROVIDER_ID, put, startWorld, type World } from "../support/provider/world.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const LEAVER_ID = 3;
const GWEI = 1_000_000_000n;
const PAY_GWEI = 1n << 41n;
const COLLATERAL_GWEI = 1n << 44n;

interface Given {
  readonly slot: TestSlot;
  readonly dealId: string;
  readonly uploadId: string;
}

describe("handing a slot over", () => {
  let world: World;
  let leaver: HDNodeWallet;
  let given: Given;
  let chain: { payGwei: bigint; holder: number; status: bigint; dealStatus: bigint; others: number };

  beforeEach(async () => {
    world = await startWorld({ config: { pricePerGibPeriodWei: 1n << 50n, collateralPeriods: 2 } });
    leaver = Wallet.createRandom();
    const slot = makeSlot();
    const dealId = dealIdOf(DOMAIN, world.owner.address, slot.meta.dealSalt);
    given = { slot, dealId, uploadId: uploadIdOf(dealId, slot.meta.slotIndex) };
    chain = { payGwei: PAY_GWEI, holder: LEAVER_ID, status: 1n, dealStatus: 1n, others: 20 };
    const { owner } = world;
    const market = {
      ...world.context.chain.market,
      deal: async () => ({
        ...{ owner: owner.address, payer: owner.address, end: 50n, renewUntil: 90n, status: chain.dealStatus },
        header: hexlify(encodeDealHeader(HEADER)),
      }),
      slots: async () =>
        Array.from({ length: HEADER.n }, (_, index) =>
          index === slot.meta.slotIndex
            ? { providerId: chain.holder, status: chain.status, root: slot.root, payGwei: chain.payGwei, collateralGwei: COLLATERAL_GWEI }
            : { providerId: chain.others + index, status: 1n },
        ),
    };
    const registry = { ...world.context.chain.registry, signerOf: async () => [leaver.address, 1n, 1n, false] };
    Object.assign(world.context.chain, { market, registry });
  });
  afterEach(async () => {
    await world.close();
    await removeTemporaryFolders();
  });

  async function body(change: Partial<HandOver> = {}, signer: HDNodeWallet = leaver) {
    const request: HandOver = {
      ...{ dealId: given.dealId, slotIndex: given.slot.meta.slotIndex, fromProviderId: LEAVER_ID, toProviderId: PROVIDER_ID },
      expiry: world.expiry(),
      ...change,
    };
    return { request, signature: await handOverMessage.sign(DOMAIN, request, signer), dealSalt: given.slot.meta.dealSalt };
  }
  const open = async (change: Partial<HandOver> = {}, signer?: HDNodeWallet) =>
    call(world, "POST", "/v1/handovers", await body(change, signer));
  const finish = async (startBy = 12) => call(world, "POST", `/v1/handovers/${given.uploadId}/finish`, { ...(await body()), startBy });

  it("takes the bytes, checks them against the chain's root, and signs the deal's own terms with the collateral of before", async () => {
    expect((await open()).body).to.deep.include({ uploadId: given.uploadId, receivedBytes: 0 });
    await put(world, given.uploadId, 0, given.slot.data);
    const { status, body: answer } = await finish();
    expect(status).to.equal(200);
    const offer = answer as unknown as OfferBody;
    expect(offer).to.include({ startBy: 12, periods: 38, renewUntil: 90, root: given.slot.root, payPerPeriodWei: String(PAY_GWEI * GWEI) });
    expect(offer.collateralWei).to.equal(String(COLLATERAL_GWEI * GWEI));
    const signed: Offer = {
      ...offer,
      ...{
        owner: world.owner.address,
        payer: world.owner.address,
        dealSalt: given.slot.meta.dealSalt,
        slotIndex: given.slot.meta.slotIndex,
      },
      ...{ k: HEADER.k, n: HEADER.n, headerHash: dealHeaderHash(HEADER), leafCount: leafCountOf(HEADER) },
      ...{ payPerPeriodWei: PAY_GWEI * GWEI, collateralWei: COLLATERAL_GWEI * GWEI },
    };
    expect(offerMessage.recover(DOMAIN, signed, offer.signature)).to.equal(world.operator.address);
  });

  it("signs nothing for other bytes than the chain says", async () => {
    await open();
    const spoilt = Uint8Array.from(given.slot.data);
    spoilt[7] = (spoilt[7] ?? 0) ^ 1;
    await put(world, given.uploadId, 0, spoilt);
    expect((await finish()).code).to.equal("CORRUPT");
  });

  it("takes it from its holder only, for this provider, now", async () => {
    expect((await open({}, Wallet.createRandom())).code).to.equal("UNAUTHORIZED");
    expect((await open({ toProviderId: 8 })).code).to.equal("UNAUTHORIZED");
    expect((await open({ expiry: world.expiry() - 601 })).code).to.equal("UNAUTHORIZED");
    expect((await open({ slotIndex: 9 })).code).to.equal("CONFLICT");
    chain.holder = 5;
    expect((await open()).code).to.equal("CONFLICT");
    chain.holder = LEAVER_ID;
    for (const [status, dealStatus] of [
      [4n, 1n],
      [2n, 1n],
      [1n, 3n],
    ] as const) {
      Object.assign(chain, { status, dealStatus });
      expect((await open()).code).to.equal("CONFLICT");
    }
    expect(world.context.store.list()).to.deep.equal([]);
  });

  it("takes no second slot of a deal, none that pays too little, and none while it takes nothing", async () => {
    chain.others = PROVIDER_ID;
    expect((await open()).code).to.equal("REFUSED");
    chain.others = 20;
    chain.payGwei = 1n;
    expect((await open()).code).to.equal("REFUSED");
    chain.payGwei = PAY_GWEI;
    world.context.admission.set("exit", true);
    expect((await open()).code).to.equal("REFUSED");
    world.context.admission.set("exit", false);
    world.chain.freeCollateralWei = COLLATERAL_GWEI * GWEI - 1n;
    await open();
    await put(world, given.uploadId, 0, given.slot.data);
    expect((await finish()).code).to.equal("REFUSED");
    expect((await finish(50)).code, "at the deal's end").to.equal("BAD_FORMAT");
  });
});
