import { expect } from "chai";
import { createBucketTurns } from "../../client/dist/index/bucket-turns.js";
import { codeOf } from "../support/code-of.ts";

describe("turns at a bucket", () => {
  it("are taken one after the other in order, those of another bucket meanwhile", async () => {
    const turns = createBucketTurns();
    const said: string[] = [];
    let finish = (): void => {};
    const first = turns.take("a", () => {
      said.push("first");
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    const second = turns.take("a", async () => said.push("second"));
    const third = turns.take("a", async () => said.push("third"));
    await turns.take("b", async () => said.push("other"));
    expect(said).to.deep.equal(["first", "other"]);
    expect([turns.isFree("a"), turns.isFree("b"), turns.isFree("c")]).to.deep.equal([false, true, true]);
    finish();
    await Promise.all([first, second, third]);
    expect(said).to.deep.equal(["first", "other", "second", "third"]);
    expect(turns.isFree("a")).to.equal(true);
  });

  it("are over when they fail, and are given up by who waits no longer", async () => {
    const turns = createBucketTurns();
    let fail = (): void => {};
    const failing = turns.take("a", () => {
      return new Promise<void>((_, reject) => {
        fail = () => reject(new Error("no"));
      });
    });
    const impatient = new AbortController();
    const run: string[] = [];
    const given = turns.take("a", async () => run.push("given up"), impatient.signal);
    const next = turns.take("a", async () => run.push("next"));
    impatient.abort();
    expect(await codeOf(given)).to.equal("CANCELLED");
    expect(await codeOf(turns.take("a", async () => {}, impatient.signal))).to.equal("CANCELLED");
    expect(turns.isFree("a"), "the first one goes on").to.equal(false);
    fail();
    expect(await failing.catch(({ message }) => message)).to.equal("no");
    await next;
    expect(run).to.deep.equal(["next"]);
    expect(turns.isFree("a")).to.equal(true);
  });
});
