/** What the contracts cost: held to their targets and to the committed snapshot (`npm run bench:gas -- --update` writes it). */
import { expect } from "chai";
import { type Figure, measureAll } from "../../bench/gas/questions.ts";
import { aboveTarget, differences, readSnapshot } from "../../bench/gas/snapshot.ts";

describe("Gas of whole transactions", function () {
  this.timeout(240_000);
  let figures: Figure[];
  before(async () => {
    figures = await measureAll();
  });

  it("is within every target", () => {
    expect(aboveTarget(figures)).to.deep.equal([]);
  });

  it("is what the snapshot says, to half a percent", () => {
    expect(differences(figures, readSnapshot())).to.deep.equal([]);
  });

  it("of a proof does not grow with the slots on the line", () => {
    const proofs = figures.filter(({ name }) => name.startsWith("prove")).map(({ gas }) => gas);
    expect(proofs).to.have.length(3);
    expect(Math.max(...proofs) - Math.min(...proofs)).to.be.lessThan(1_000);
  });

  it("of opening falls per slot with n", () => {
    const perSlot = figures.filter(({ name }) => /^open a deal of \d+, per slot$/.test(name)).map(({ gas }) => gas);
    expect(perSlot).to.have.length(7);
    for (const [i, gas] of perSlot.entries()) if (i > 0) expect(gas).to.be.lessThan(perSlot[i - 1] ?? 0);
  });

  it("fails on a figure that moved, is new or is gone", () => {
    const snapshot = { a: 1_000, b: 1_000, gone: 1 };
    const moved = [
      { name: "a", gas: 1_005 },
      { name: "b", gas: 1_006 },
      { name: "new", gas: 1 },
    ];
    expect(differences(moved, snapshot)).to.have.length(3);
    expect(aboveTarget([{ name: "a", gas: 11, target: 10 }])).to.have.length(1);
  });
});
