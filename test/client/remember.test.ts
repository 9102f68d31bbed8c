/** What the client remembers between reads, and for how long. */
import { expect } from "chai";
import { systemClock } from "../../client/dist/deps.js";
import { createMemory } from "../../client/dist/remember.js";

describe("the memory of reads", () => {
  let nowMs = 0;
  let made = 0;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const make = async () => {
    made += 1;
    return made;
  };
  beforeEach(() => {
    nowMs = 1_000;
    made = 0;
  });

  it("asks once, and again when the time is over or it was told to forget", async () => {
    const memory = createMemory<number>({ clock, entriesMax: 4, seconds: 60 });
    expect([await memory.get("a", make), await memory.get("a", make)]).to.deep.equal([1, 1]);
    nowMs += 59_999;
    expect(await memory.get("a", make)).to.equal(1);
    nowMs += 1;
    expect(await memory.get("a", make)).to.equal(2);
    memory.forget("a");
    expect(await memory.get("a", make)).to.equal(3);
  });

  it("keeps no more than its number, the newest", async () => {
    const memory = createMemory<number>({ clock, entriesMax: 2 });
    for (const key of ["a", "b", "c"]) await memory.get(key, make);
    nowMs += 10 ** 12;
    expect([await memory.get("c", make), await memory.get("b", make), await memory.get("a", make)]).to.deep.equal([3, 2, 4]);
  });

  it("keeps no failure", async () => {
    const memory = createMemory<number>({ clock, entriesMax: 2 });
    const failure = await memory.get("a", () => Promise.reject(new Error("no answer"))).catch(String);
    expect([failure, await memory.get("a", make)]).to.deep.equal(["Error: no answer", 1]);
  });
});
