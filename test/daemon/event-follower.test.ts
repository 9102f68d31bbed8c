import { EventFollower } from "@ppio/daemon";
import { expect } from "chai";
import fc from "fast-check";

interface Event {
  readonly block: number;
  readonly id: string;
}

/** A chain of event ids per block. */
class FakeChain {
  blocks: string[][];
  queries = 0;
  failAtQuery = 0;

  constructor(blocks: string[][]) {
    this.blocks = blocks;
  }

  follower(): EventFollower<Event> {
    return new EventFollower<Event>({
      fromBlock: 0,
      latestBlock: async () => this.blocks.length - 1,
      query: async (from, to) => {
        this.queries += 1;
        if (this.queries === this.failAtQuery) throw new Error("node away");
        return this.blocks.slice(from, to + 1).flatMap((ids, at) => ids.map((id) => ({ block: from + at, id })));
      },
    });
  }

  ids(): string[] {
    return this.blocks.flat();
  }
}

const BLOCKS = fc.array(fc.array(fc.string({ maxLength: 2 }), { maxLength: 2 }), { minLength: 1, maxLength: 40 });

describe("following events", () => {
  it("knows exactly the chain's events after any growth and any reorg of up to 64 blocks", async () => {
    await fc.assert(
      fc.asyncProperty(BLOCKS, fc.array(fc.tuple(fc.nat(60), BLOCKS), { maxLength: 5 }), async (start, changes) => {
        const chain = new FakeChain(start);
        const follower = chain.follower();
        await follower.refresh();
        for (const [depth, added] of changes) {
          chain.blocks = [...chain.blocks.slice(0, Math.max(1, chain.blocks.length - depth)), ...added];
          expect((await follower.refresh()).map(({ id }) => id)).to.deep.equal(chain.ids());
        }
      }),
    );
  });

  it("goes on where a node broke off", async () => {
    const chain = new FakeChain(Array.from({ length: 20_000 }, (_, at) => (at % 1_000 === 0 ? [String(at)] : [])));
    chain.failAtQuery = 3;
    const follower = chain.follower();
    await follower.refresh().catch(() => undefined);
    const before = chain.queries;
    expect((await follower.refresh()).map(({ id }) => id)).to.deep.equal(chain.ids());
    expect(chain.queries - before, "the first chunks are not asked for again").to.equal(3);
  });
});
