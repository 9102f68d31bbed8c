/** Where a devnet looks for ports. */
import { createServer } from "node:net";
import { expect } from "chai";
import { devnetPorts, freePorts } from "../../cli/src/devnet/chain.ts";
import { codeOf } from "../support/code-of.ts";
import { ownPorts } from "../support/ports.ts";

describe("ports of a devnet", () => {
  it("are of the range that was asked for, or else below those that systems give away", async () => {
    expect(devnetPorts("20000-20099")).to.deep.equal({ first: 20_000, last: 20_099 });
    expect(devnetPorts("")).to.deep.equal({ first: 10_000, last: 31_999 });
    for (const text of ["20000", "20099-20000", "0-10", "1-65536", "a-b"]) {
      expect(await codeOf(() => devnetPorts(text)), text).to.equal("USAGE");
    }
  });

  it("are free ones, each once, and too few are told", async () => {
    const range = ownPorts();
    const [taken = 0] = await freePorts(1, range);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
    try {
      const found = await freePorts(3, range);
      expect(found).not.to.include(taken);
      expect(new Set(found).size).to.equal(3);
      for (const port of found) expect(port).to.be.within(range.first, range.last);
      const refused = await freePorts(1, { first: taken, last: taken }).catch((error: unknown) => error);
      expect(String(refused)).to.include(`There are not 1 free ports from ${taken} to ${taken}`);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("of test files side by side do not meet", () => {
    const ranges = Array.from({ length: 8 }, (_, worker) => ownPorts(worker));
    for (const [at, { first, last }] of ranges.entries()) {
      expect(last).to.be.greaterThan(first);
      expect(first).to.be.greaterThan(ranges[at - 1]?.last ?? 0);
    }
  });
});
