/** The order in which processes take turns. */
import { turnShare } from "@ppio/daemon";
import { expect } from "chai";
import { hexlify, id } from "ethers";
import fc from "fast-check";

const WORD = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("turns", () => {
  it("are from 0 to below 1", () => {
    expect(turnShare(`0x${"00".repeat(32)}`)).to.equal(0);
    expect(turnShare(`0x80${"00".repeat(31)}`)).to.equal(0.5);
    expect(turnShare(`0x${"ff".repeat(32)}`)).to.be.within(0.999_999, 1 - Number.EPSILON);
  });

  it("are in the order of the hashes", () => {
    fc.assert(
      fc.property(WORD, WORD, (a, b) => {
        const [low = "", high = ""] = [hexlify(a), hexlify(b)].sort();
        expect(turnShare(low)).to.be.at.most(turnShare(high));
      }),
    );
  });

  it("spread evenly", () => {
    const shares = Array.from({ length: 2_000 }, (_, at) => turnShare(id(String(at))));
    for (let tenth = 0; tenth < 10; tenth += 1) {
      expect(shares.filter((share) => Math.floor(share * 10) === tenth).length).to.be.within(140, 260);
    }
  });
});
