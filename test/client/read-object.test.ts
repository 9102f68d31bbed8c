/** An object read by its frames' tags: whoever sends something else is found out, named, and not asked again. */
import { expect } from "chai";
import { makeMemoryDeal } from "../../bench/support/memory-deal.ts";
import { codeOf } from "../support/code-of.ts";

const SIZE_BYTES = 9_000_000;

describe("reading an object by its tags", () => {
  const deal = makeMemoryDeal(SIZE_BYTES);
  const wrongBytes = async (options: { readonly lost?: ReadonlySet<number>; readonly tampered?: ReadonlySet<number> }) => {
    let wrong = 0;
    const failed = await (await deal).read({ ...options, onPiece: (piece) => (wrong += piece.reduce((sum, byte) => sum + byte, 0)) });
    return { wrong, failed };
  };

  it("gives the object's bytes", async () => {
    expect(await wrongBytes({})).to.deep.equal({ wrong: 0, failed: new Set() });
  });

  it("names the provider that sends something else, and none besides", async () => {
    expect(await wrongBytes({ tampered: new Set([3]) })).to.deep.equal({ wrong: 0, failed: new Set([3]) });
  });

  it("names it too when a cell was rebuilt out of what it sent", async () => {
    expect(await wrongBytes({ lost: new Set([0, 1]), tampered: new Set([11]) })).to.deep.equal({ wrong: 0, failed: new Set([0, 1, 11]) });
  });

  it("has providers look at a slot that is damaged on their disks", async () => {
    const found = new Set<number>();
    const failed = await (await deal).read({
      rotten: new Set([1, 4, 12]),
      lost: new Set([0]),
      onFound: (slotIndex) => found.add(slotIndex),
    });
    // The last one may not be needed.
    expect([...found]).to.include.members([1, 4]);
    expect([...failed]).to.include.members([0, 1, 4]);
    expect([...found, ...failed].filter((slotIndex) => ![0, 1, 4, 12].includes(slotIndex))).to.deep.equal([]);
  });

  it("outlives as many liars as the code has spare slots", async () => {
    const tampered = new Set([0, 2, 4, 6, 8, 9]);
    expect(await wrongBytes({ tampered })).to.deep.equal({ wrong: 0, failed: tampered });
  });

  it("gives nothing when too many lie", async () => {
    expect(await codeOf(() => wrongBytes({ tampered: new Set([0, 1, 2, 3, 4, 5, 6]) }))).to.equal("UNRECOVERABLE");
  });

  it("says what does not open although the deal's roots hold", async () => {
    const objectId = new Uint8Array(32).fill(9);
    let pieces = 0;
    const read = async () => void (await (await deal).read({ objectId, onPiece: () => (pieces += 1) }));
    expect(await codeOf(read)).to.equal("CORRUPT");
    expect(pieces).to.equal(0);
  });
});
