/** FraudProofs: a signed answer that contradicts the slot's root costs everything, and a true one never does. */
import {
  answerRootsHash,
  cellRunProof,
  encodeDealHeader,
  leafCountOf,
  NODE_BYTES,
  type ReadAnswer,
  readAnswerMessage,
  type SlotShape,
  SlotTreeBuilder,
} from "@ppio/core";
import { expect } from "chai";
import { hexlify, id } from "ethers";
import fc from "fast-check";
import { checkBooks } from "../support/contracts/books.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import { evictByLie, servedAtOf, signAnswer } from "../support/contracts/lies.ts";
import type { OpenedDeal, TestProvider, World } from "../support/contracts/world.ts";

const COLLATERAL = 10n ** 18n;
const CELL_BYTES = 4096;

interface Slot {
  readonly shape: SlotShape;
  readonly deal: OpenedDeal;
  readonly cellRoots: Uint8Array;
}

/** Bytes that depend on where they are, so that no two cells are alike. */
function bytesOf(row: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 31 + row * 7 + (at >> 8)) % 251);
}

describe("FraudProofs", () => {
  let world: World;
  let p1: TestProvider;
  let p2: TestProvider;
  let p3: TestProvider;
  let deals: OpenedDeal[];

  const fixture = async () => {
    const made = await deployWorld();
    return { made, all: [await made.addProvider(0), await made.addProvider(1), await made.addProvider(2)] as const };
  };
  beforeEach(async () => {
    const loaded = await networkHelpers.loadFixture(fixture);
    world = loaded.made;
    [p1, p2, p3] = loaded.all;
    deals = [];
  });
  afterEach(() => checkBooks(world, deals));

  const refused = (call: Promise<unknown>, error: string) => expect(call).to.be.revertedWithCustomError(world.fraud, error);

  /** A deal whose every slot is the one that core builds of `shape`. */
  const openSlot = async (rows: number, lastCellBytes = CELL_BYTES): Promise<Slot> => {
    const shape: SlotShape = { cellBytes: CELL_BYTES, lastCellBytes, rows };
    const builder = new SlotTreeBuilder(shape);
    const cellRoots = new Uint8Array(NODE_BYTES * rows);
    for (let row = 0; row < rows; row += 1) {
      cellRoots.set(builder.push(bytesOf(row, row === rows - 1 ? lastCellBytes : CELL_BYTES)), NODE_BYTES * row);
    }
    const { root, leafCount } = builder.finish();
    expect(leafCount).to.equal(leafCountOf(shape));
    const tree = { root: hexlify(root), leafCount, prove: () => "0x" };
    const header = hexlify(encodeDealHeader({ ...shape, k: 1, n: 2 }));
    const deal = await world.open([p1, p2], { tree, header, periods: 60 });
    deals.push(deal);
    return { shape, deal, cellRoots };
  };
  const nodesOf = ({ shape, cellRoots }: Slot, first: number, count: number) => {
    const roots = Array.from({ length: count }, (_, at) => cellRoots.slice(NODE_BYTES * (first + at), NODE_BYTES * (first + at + 1)));
    return { roots, siblings: cellRunProof(shape, cellRoots, first, count) };
  };
  /** What the provider of slot 0 signs when it says these roots and siblings; `changes` alter the message before it is signed. */
  const signed = async (
    { deal }: Slot,
    firstCell: number,
    roots: Uint8Array[],
    siblings: Uint8Array[],
    changes: Partial<ReadAnswer> = {},
  ) => {
    const answer: ReadAnswer = {
      dealId: deal.dealId,
      slotIndex: 0,
      firstCell,
      rootsHash: answerRootsHash(roots, siblings),
      servedAt: await servedAtOf(world, deal),
      ...changes,
    };
    return { answer, signature: await signAnswer(world, answer, p1.operator), cellCount: roots.length, nodes: [...roots, ...siblings] };
  };
  type Signed = Awaited<ReturnType<typeof signed>>;
  const prove = ({ answer, signature, cellCount, nodes }: Signed, providerId = p1.providerId, epoch = 1) =>
    world.fraud.connect(world.reporter).proveLie(providerId, epoch, answer, signature, cellCount, nodes);
  const changedRoot = (roots: Uint8Array[]) => roots.map((root, at) => (at === 0 ? root.map((byte) => byte ^ 1) : root));

  describe("of the truth", () => {
    it("F1: nothing is proven, whichever run of cells of whichever slot was served", async () => {
      const slots = new Map<string, Slot>();
      const shapes = fc.record({ rows: fc.integer({ min: 1, max: 9 }), units: fc.integer({ min: 1, max: CELL_BYTES / 128 }) });
      const places = fc.record({ first: fc.nat(), count: fc.nat() });
      await fc.assert(
        fc.asyncProperty(shapes, places, async ({ rows, units }, place) => {
          const key = `${rows}/${units}`;
          const slot = slots.get(key) ?? (await openSlot(rows, 128 * units));
          slots.set(key, slot);
          const first = place.first % rows;
          const count = 1 + (place.count % (rows - first));
          const { roots, siblings } = nodesOf(slot, first, count);
          await refused(prove(await signed(slot, first, roots, siblings)), "AnswerIsTrue");
        }),
        { numRuns: 40 },
      );
    });

    it("F1: nothing is proven by reading some of its cells as siblings, or siblings as cells", async () => {
      for (const rows of [1, 2, 3, 5, 8]) {
        const slot = await openSlot(rows);
        for (let first = 0; first < rows; first += 1) {
          for (let count = 1; first + count <= rows; count += 1) {
            const { roots, siblings } = nodesOf(slot, first, count);
            const truth = await signed(slot, first, roots, siblings);
            for (let cellCount = 0; cellCount <= truth.nodes.length; cellCount += 1) {
              await refused(prove({ ...truth, cellCount }), cellCount === count ? "AnswerIsTrue" : "RootsDoNotMatch");
            }
          }
        }
      }
    });
  });

  describe("of a lie", () => {
    it("takes everything, evicts, and gives the finder its part", async () => {
      const slot = await openSlot(5, 128);
      const { roots, siblings } = nodesOf(slot, 1, 2);
      const lie = await signed(slot, 1, changedRoot(roots), siblings);
      const before = await world.registry.collateralOf(p1.providerId);
      await expect(prove(lie))
        .to.emit(world.fraud, "LieProven")
        .withArgs(p1.providerId, slot.deal.dealId, 0, world.reporter.address, before);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(0n);
      expect(await world.registry.evictedAtPeriod(p1.providerId)).to.equal(await world.period());
      expect(await world.market.creditOf(world.reporter)).to.equal(before / 10n);
      expect(await world.market.repairFundWei()).to.equal((before * 4n) / 10n);
      expect(await world.market.unclaimedWei()).to.equal(before / 2n);
      await expect(prove(lie)).to.be.revertedWithCustomError(world.proofs, "ProviderGone");
      await world.market.settle(slot.deal.dealId, [0]);
      expect([await world.market.creditOf(world.user), await world.market.unclaimedWei()]).to.deep.equal([before / 2n, 0n]);
    });

    it("is one in a root, in a sibling, in a place, and of a slot of one cell", async () => {
      const slot = await openSlot(4);
      const single = await openSlot(1, 256);
      const { roots, siblings } = nodesOf(slot, 1, 2);
      const one = nodesOf(slot, 0, 1);
      const lies = [
        await signed(slot, 1, changedRoot(roots), siblings),
        await signed(slot, 1, roots, changedRoot(siblings)),
        await signed(slot, 1, [...roots].reverse(), siblings),
        // Two cells at 1 need two siblings, two at 2 need but one: the same nodes elsewhere are no answer, a single cell's are.
        await signed(slot, 3, one.roots, one.siblings),
        await signed(single, 0, changedRoot(nodesOf(single, 0, 1).roots), []),
      ];
      for (const lie of lies) {
        const snapshot = await networkHelpers.takeSnapshot();
        await prove(lie);
        expect(await world.registry.collateralOf(p1.providerId)).to.equal(0n);
        await snapshot.restore();
      }
    });

    it("counts by the key of a past epoch, and after the slot was handed over", async () => {
      const slot = await openSlot(2);
      const { roots, siblings } = nodesOf(slot, 0, 1);
      const lie = await signed(slot, 0, changedRoot(roots), siblings);
      await world.registry.connect(p1.owner).rotateOperator(p1.providerId, world.signer(19));
      await refused(prove(lie, p1.providerId, 2), "InvalidSignature");
      const { offer, refill } = await world.refillOffer(slot.deal, 0, p3);
      const given = { ...offer, root: slot.deal.terms.offers[0]?.root ?? "" };
      Object.assign(given, await world.signOffer({ ...slot.deal.terms, ...refill }, 0, given, p3.operator));
      await world.market.connect(p1.owner).handOver(slot.deal.dealId, 0, given, refill);
      await refused(prove(lie, p3.providerId), "InvalidSignature");
      await prove(lie);
      expect(await world.registry.collateralOf(p1.providerId)).to.equal(0n);
      expect(await world.registry.collateralOf(p3.providerId)).to.be.greaterThan(COLLATERAL);
    });

    it("leaves the evicted provider's other deals to be filled again, and stops paying it", async () => {
      const slot = await openSlot(1);
      const other = await world.open([p1, p3], { periods: 60 });
      deals.push(other);
      await world.next();
      await evictByLie(world, p1, slot.deal, 0);
      expect((await world.market.slot(other.dealId, 0)).status).to.equal(2n);
      await world.market.settle(other.dealId, [0]);
      expect(await world.market.creditOf(p1.owner)).to.equal(0n);
      expect((await world.registry.getProvider(p1.providerId)).lockedWei).to.equal(COLLATERAL);
    });
  });

  describe("F2: of what is no answer of this provider about this slot", () => {
    it("is refused: another chain, market or deal, another slot, another provider, nobody's key", async () => {
      const slot = await openSlot(2);
      const elsewhere = await openSlot(2);
      const { roots, siblings } = nodesOf(slot, 0, 1);
      const bad = changedRoot(roots);
      const lie = await signed(slot, 0, bad, siblings);
      const { chainId } = await ethers.provider.getNetwork();
      const market = await world.market.getAddress();
      for (const domain of [
        { chainId: chainId + 1n, market },
        { chainId, market: await world.proofs.getAddress() },
      ]) {
        await refused(prove({ ...lie, signature: await readAnswerMessage.sign(domain, lie.answer, p1.operator) }), "InvalidSignature");
      }
      await refused(prove({ ...lie, answer: { ...lie.answer, dealId: elsewhere.deal.dealId } }), "InvalidSignature");
      await refused(prove({ ...lie, answer: { ...lie.answer, firstCell: 1 } }), "InvalidSignature");
      await refused(prove({ ...lie, answer: { ...lie.answer, servedAt: lie.answer.servedAt + 1 } }), "InvalidSignature");
      await refused(prove({ ...lie, signature: "0x" }), "InvalidSignature");
      await refused(prove(lie, p2.providerId), "InvalidSignature");
      await refused(prove(lie, p1.providerId, 2), "InvalidSignature");
      await refused(prove(lie, 99, 1), "InvalidSignature");
      await refused(prove(await signed(slot, 0, bad, siblings, { slotIndex: 1 })), "NotTheProvidersSlot");
      await refused(prove(await signed(slot, 0, bad, siblings, { slotIndex: 9 })), "NotTheProvidersSlot");
      await refused(prove(await signed(slot, 0, bad, siblings, { dealId: id("no deal") })), "NotTheProvidersSlot");
    });

    it("is refused: other nodes than were signed, and nodes too few or too many for any answer", async () => {
      const slot = await openSlot(4);
      const { roots, siblings } = nodesOf(slot, 1, 1);
      const lie = await signed(slot, 1, changedRoot(roots), siblings);
      await refused(prove({ ...lie, nodes: [...roots, ...siblings] }), "RootsDoNotMatch");
      await refused(prove(await signed(slot, 1, roots, siblings.slice(1))), "MalformedAnswer");
      await refused(prove(await signed(slot, 1, roots, [...siblings, ...siblings])), "MalformedAnswer");
      await refused(prove(await signed(slot, 1, [], siblings)), "CellsOutOfRange");
      await refused(prove(await signed(slot, 4, roots, siblings)), "CellsOutOfRange");
      await refused(prove(await signed(slot, 3, [...roots, ...roots], siblings)), "CellsOutOfRange");
    });

    it("is refused: served before the deal's first period was over", async () => {
      const slot = await openSlot(2);
      const { roots, siblings } = nodesOf(slot, 0, 1);
      const servedAt = (await servedAtOf(world, slot.deal)) - 1;
      await refused(prove(await signed(slot, 0, changedRoot(roots), siblings, { servedAt })), "ServedBeforeDeal");
    });
  });

  it("lets nobody else prove malice", async () => {
    await expect(world.proofs.punishMalice(p1.providerId, world.reporter)).to.be.revertedWithCustomError(world.proofs, "NotAuthorized");
  });
});
