/** What the suite says of its own failures. */
import { expect } from "chai";
import { makeError } from "ethers";
import { makeReadable } from "./readable-failures.ts";

function failureOf(work: () => void): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

describe("failures of tests", () => {
  it("can be told by JSON when an assertion is about bigints", () => {
    const failure = failureOf(() => expect(1n).to.be.greaterThan(2n));
    makeReadable(failure);
    // Some libraries teach bigints to be JSON, for the whole process.
    expect((JSON.parse(JSON.stringify(failure)) as { readonly expected: string }).expected).to.match(/^2n?$/);
  });

  it("can be told when the chain's library throws them", () => {
    const failure = makeError("reverted", "UNSUPPORTED_OPERATION", { operation: "x", info: { args: [3n] } });
    makeReadable(failure);
    expect(JSON.stringify(failure)).to.include("3n").and.include("operation");
  });

  it("keep what can be told as it is", () => {
    const failure = Object.assign(new Error("no"), { actual: { a: 1 }, expected: undefined });
    makeReadable(failure);
    expect(failure.actual).to.deep.equal({ a: 1 });
    for (const other of [undefined, null, "text"]) makeReadable(other);
  });
});
