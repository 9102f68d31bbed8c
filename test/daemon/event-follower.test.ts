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
  /** First blocks of the queries. */
  asked: number[] = [];

  constructor(blocks: string[][]) {
    this.blocks = blocks;
  }

  follower(): EventFollower<Event> {
    return new EventFollower<Event>({
      fromBlock: 0,
      latestBlock: async () => this.blocks.length - 1,
      query: async (from, to) => {
        this.queries += 1;
        this.asked.push(from);
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
    const [, second = 0, brokenOff] = chain.asked;
    const before = chain.queries;
    expect((await follower.refresh()).map(({ id }) => id)).to.deep.equal(chain.ids());
    const [again = 0] = chain.asked.slice(before);
    expect(again, "the first chunk is not asked for again").to.be.greaterThan(second - 1);
    expect(again, "the newest blocks before the break are").to.be.lessThan(brokenOff ?? 0);
  });

  it("asks for more blocks at a time while they hold little, and for fewer where they hold much", async () => {
    const quiet = new FakeChain(Array.from({ length: 100_000 }, () => []));
    await quiet.follower().refresh();
    expect(quiet.queries).to.be.lessThan(30);
    const busy = new FakeChain(Array.from({ length: 20_000 }, (_, at) => (at < 10_000 ? [] : [String(at), `${at}b`])));
    expect((await busy.follower().refresh()).map(({ id }) => id)).to.deep.equal(busy.ids());
    const steps = busy.asked.map((from, at) => from - (busy.asked[at - 1] ?? 0));
    expect(Math.max(...steps)).to.equal(5_000);
    expect(Math.min(...steps.slice(-10))).to.equal(200);
  });
});
