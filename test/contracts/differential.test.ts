/** Solidity and TypeScript agree: ids, digests, draws, trees. What core computes is what the contracts accept. */
import { randomBytes } from "node:crypto";
import {
  buildLeafProof,
  cellLength,
  challengeLeaf,
  challengePoint,
  dealIdOf,
  leafCountOf,
  OPEN_DEAL_TYPES,
  offerMessage,
  type SlotShape,
  SlotTreeBuilder,
  TERMINATE_DEAL_TYPES,
  WITHDRAW_TYPES,
} from "@ppio/core";
import { expect } from "chai";
import { concat, hexlify, keccak256, solidityPackedKeccak256 } from "ethers";
import fc from "fast-check";
import { networkHelpers } from "../support/contracts/chain.ts";
import { deployWorld } from "../support/contracts/deploy-world.ts";
import type { TestTree } from "../support/contracts/tree.ts";
import * as written from "../support/contracts/typed-data.ts";
import type { TestProvider, World } from "../support/contracts/world.ts";

/** A slot of random bytes with the tree that core builds over it. */
function coreTree(shape: SlotShape): TestTree {
  const builder = new SlotTreeBuilder(shape);
  const cells = Array.from({ length: shape.rows }, (_, row) => new Uint8Array(randomBytes(cellLength(shape, row))));
  const roots = new Uint8Array(32 * shape.rows);
  cells.forEach((cell, row) => {
    roots.set(builder.push(cell), 32 * row);
  });
  return {
    root: hexlify(builder.finish().root),
    leafCount: leafCountOf(shape),
    prove: (leafIndex) => {
      const cell = cells[Math.floor((leafIndex * 64) / shape.cellBytes)] ?? new Uint8Array();
      const { leaf, siblings } = buildLeafProof(shape, roots, cell, leafIndex);
      return concat([leaf, ...siblings]);
    },
  };
}

describe("Solidity and TypeScript agree", () => {
  let world: World;
  let providers: TestProvider[];

  const fixture = async () => {
    const made = await deployWorld();
    return { made, all: [await made.addProvider(0), await made.addProvider(1)] };
  };
  beforeEach(async () => {
    ({ made: world, all: providers } = await networkHelpers.loadFixture(fixture));
  });

  for (const shape of [
    { cellBytes: 4_096, lastCellBytes: 128, rows: 1 },
    { cellBytes: 4_096, lastCellBytes: 4_096, rows: 1 },
    { cellBytes: 4_096, lastCellBytes: 640, rows: 5 },
    { cellBytes: 65_536, lastCellBytes: 128, rows: 3 },
    { cellBytes: 65_536, lastCellBytes: 65_536, rows: 8 },
  ]) {
    it(`on the tree of ${shape.rows} cells of ${shape.cellBytes} bytes, the last of ${shape.lastCellBytes}`, async () => {
      const [provider] = providers;
      await world.open(providers, { tree: coreTree(shape) });
      for (let at = 0; at < 3; at += 1) await world.pass(...providers);
      expect(await world.proofs.isProven(provider?.providerId ?? 0, (await world.period()) - 1)).to.equal(true);
    });
  }

  it("on deal ids and offers' digests", async () => {
    const { terms } = await world.makeTerms(providers);
    const { chainId, verifyingContract } = await world.domain();
    const domain = { chainId, market: verifyingContract };
    expect(dealIdOf(domain, terms.owner as string, terms.dealSalt as string)).to.equal(
      await world.market.dealIdOf(terms.owner, terms.dealSalt),
    );
    for (const [slotIndex, offer] of terms.offers.entries()) {
      const { providerId, operatorEpoch, root, leafCount, payPerPeriodWei, collateralWei, expiry } = offer;
      const digest = offerMessage.digest(domain, {
        providerId: Number(providerId),
        operatorEpoch: Number(operatorEpoch),
        owner: terms.owner as string,
        payer: terms.payer as string,
        dealSalt: terms.dealSalt as string,
        slotIndex,
        k: terms.k,
        n: terms.offers.length,
        headerHash: keccak256(terms.header),
        root: root as string,
        leafCount: Number(leafCount),
        payPerPeriodWei,
        collateralWei,
        startBy: terms.startBy,
        periods: terms.periods,
        renewUntil: Number(terms.renewUntil),
        expiry: Number(expiry),
      });
      expect(digest).to.equal(await world.market.offerDigest(terms, slotIndex));
    }
  });

  it("on the types of what owners sign, which the contracts accept as written in their manual", () => {
    expect(OPEN_DEAL_TYPES).to.deep.equal(written.OPEN_DEAL_TYPES);
    expect(TERMINATE_DEAL_TYPES).to.deep.equal(written.TERMINATE_DEAL_TYPES);
    expect(WITHDRAW_TYPES).to.deep.equal(written.WITHDRAW_TYPES);
  });

  it("on draws: points and leaves as the manual's formula gives them", () => {
    const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        u32,
        u32,
        u32,
        fc.bigInt(1n, 2n ** 48n),
        fc.integer({ min: 1, max: 2 ** 40 }),
        (bytes, providerId, period, draw, length, leafCount) => {
          const seed = hexlify(bytes);
          const head = ["bytes32", "uint32", "uint32", "uint32"];
          const values = [seed, providerId, period, draw];
          const challenge = { seed, providerId, period };
          expect(challengePoint(challenge, draw, length)).to.equal(BigInt(solidityPackedKeccak256(head, values)) % length);
          const leaf = BigInt(solidityPackedKeccak256([...head, "string"], [...values, "leaf"])) % BigInt(leafCount);
          expect(challengeLeaf(challenge, draw, leafCount)).to.equal(Number(leaf));
        },
      ),
    );
  });
});
