import { keptCoder } from "@ppio/core";
import { expect } from "chai";

describe("a thread's coders", () => {
  it("are kept for the codes used last, by the code alone", () => {
    const first = keptCoder({ k: 3, n: 5 });
    expect(keptCoder({ k: 3, n: 5 })).to.equal(first);
    expect([first.k, first.n]).to.deep.equal([3, 5]);
    const other = keptCoder({ k: 3, n: 6 });
    expect(other).not.to.equal(first);
    expect(keptCoder({ k: 3, n: 5 })).to.equal(first);
    keptCoder({ k: 4, n: 6 });
    expect(keptCoder({ k: 3, n: 5 }), "used more lately").to.equal(first);
    expect(keptCoder({ k: 3, n: 6 }), "forgotten").not.to.equal(other);
  });
});
