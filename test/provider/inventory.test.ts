import { Inventory } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { FakeLine } from "../support/provider/fake-line.ts";
import { makeSlot, type TestSlot } from "../support/provider/slot.ts";
import { PROVIDER_ID } from "../support/provider/world.ts";

describe("inventory", () => {
  const ids = (inventory: Inventory): string[] =>
    [...inventory.all()].map(({ dealId, startGwei, endGwei }) => `${dealId} ${startGwei}-${endGwei}`);

  it("finds the interval of every point, moved and dropped ones included", async () => {
    const line = new FakeLine();
    const [a, b, c] = [makeSlot(), makeSlot(), makeSlot()];
    for (const [slot, pay] of [
      [a, 10n],
      [b, 5n],
      [c, 7n],
    ] as const)
      line.fill(slot, pay);
    const inventory = new Inventory(line.connection(), PROVIDER_ID);
    await inventory.refresh();
    const at = (point: bigint): string | undefined => inventory.at(point)?.dealId;
    expect([at(0n), at(9n), at(10n), at(14n), at(15n), at(21n), at(22n)]).to.deep.equal(
      [a, a, b, b, c, c, undefined].map((slot) => slot?.meta.dealId),
    );
    line.move(b, undefined);
    line.move(c, 10n);
    await inventory.refresh();
    expect([at(9n), at(10n), at(16n), at(17n)]).to.deep.equal([a, c, c, undefined].map((slot) => slot?.meta.dealId));
  });

  it("is the same after any growth and reorg as when it is read from the start", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(5)), { maxLength: 30 }), async (steps) => {
        const line = new FakeLine();
        const inventory = new Inventory(line.connection(), PROVIDER_ID);
        for (const [pay, undone] of steps) {
          line.fill(makeSlot(), BigInt(pay));
          await inventory.refresh();
          if (undone > 2) {
            line.reorg(Math.min(undone, line.block));
            line.fill(makeSlot(), BigInt(pay));
            await inventory.refresh();
          }
        }
        const fresh = new Inventory(line.connection(), PROVIDER_ID);
        await fresh.refresh();
        await inventory.refresh();
        expect(ids(inventory)).to.deep.equal(ids(fresh));
      }),
      { numRuns: 30 },
    );
  });

  it("is the same with its old blocks in columns, whatever was filled, dropped, moved and taken back", async () => {
    const step = fc.record({ pay: fc.integer({ min: 1, max: 9 }), drops: fc.nat(9), undone: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const line = new FakeLine();
        const inventory = new Inventory(line.connection(), PROVIDER_ID, { reorgBlocks: 6 });
        const slots = new Map<string, TestSlot>();
        let highest = 0;
        for (const { pay, drops, undone } of steps) {
          const slot = makeSlot();
          slots.set(slot.meta.dealId, slot);
          line.fill(slot, BigInt(pay));
          await inventory.refresh();
          highest = Math.max(highest, line.block);
          const depth = Math.min(undone - 4, line.block - highest + 6);
          if (depth > 0) {
            line.reorg(depth);
            await inventory.refresh();
            line.lengthGwei = [...inventory.all()].reduce((end, { endGwei }) => (endGwei > end ? endGwei : end), 0n);
          }
          const present = [...inventory.all()];
          const dropped = present[drops];
          if (dropped !== undefined) {
            // As a compaction does: one goes, the others close up.
            line.move(slots.get(dropped.dealId) ?? slot, undefined);
            let start = dropped.startGwei;
            for (const { dealId, startGwei, endGwei } of present.slice(drops + 1)) {
              line.move(slots.get(dealId) ?? slot, start);
              start += endGwei - startGwei;
            }
            line.lengthGwei = start;
            await inventory.refresh();
          }
        }
        const whole = new Inventory(line.connection(), PROVIDER_ID, { reorgBlocks: 10_000 });
        await whole.refresh();
        expect(ids(inventory)).to.deep.equal(ids(whole));
        expect([...inventory.latest()].sort(byStart)).to.deep.equal([...whole.all()]);
        for (let point = 0n; point < line.lengthGwei; point += 3n) {
          expect(inventory.at(point)?.dealId, `at ${point}`).to.equal(whole.at(point)?.dealId);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("hands out what is due, once until it is due again or its deal has changed", async () => {
    const line = new FakeLine();
    const slots = Array.from({ length: 12 }, () => makeSlot());
    const inventory = new Inventory(line.connection(), PROVIDER_ID, { reorgBlocks: 4 });
    for (const slot of slots) line.fill(slot, 5n);
    await inventory.refresh();
    expect(inventory.due(1, 100)).to.have.length(12);
    expect(inventory.due(1, 5)).to.have.length(5);
    for (const interval of inventory.due(1, 100)) inventory.postpone(interval, 9);
    expect(inventory.due(8, 100)).to.deep.equal([]);
    const ended = slots[3] ?? makeSlot();
    line.end(ended, 7);
    await inventory.refresh();
    expect(inventory.due(8, 100).map(({ dealId }) => dealId)).to.deep.equal([ended.meta.dealId]);
    expect(inventory.due(9, 100)).to.have.length(12);
  });
});

function byStart(a: { readonly startGwei: bigint }, b: { readonly startGwei: bigint }): number {
  return a.startGwei < b.startGwei ? -1 : 1;
}
