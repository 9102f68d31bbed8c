/** The listing that is stored before its object's providers have signed. */
import { type IndexEntry, PpioError } from "@ppio/core";
import { expect } from "chai";
import { createListingAhead } from "../../client/dist/put/listing-ahead.js";
import { standStill } from "../support/client/simulated-provider.ts";

type Stored = Awaited<ReturnType<ReturnType<typeof createListingAhead>["take"]>>;

const entryOf = (key: string): IndexEntry => ({
  key,
  modifiedAt: 1,
  content: { kind: "inline", bytes: new Uint8Array(), contentType: "" },
});
const storedAs = (key: string): Stored => ({ head: new TextEncoder().encode(key) }) as unknown as Stored;
const PROMISED = new Map([[7, 9n]]);

describe("a listing that is stored ahead", () => {
  it("is the one of the entry that was told last; the one before is stopped", async () => {
    const stopped: string[] = [];
    const ahead = createListingAhead(async ({ key }, promisedWei, signal) => {
      expect(promisedWei).to.equal(PROMISED);
      signal.addEventListener("abort", () => stopped.push(key), { once: true });
      return key === "old" ? standStill(signal) : (storedAs(key) as NonNullable<Stored>);
    }, undefined);
    ahead.begin(entryOf("old"), PROMISED);
    ahead.begin(entryOf("new"), PROMISED);
    expect(stopped).to.deep.equal(["old"]);
    expect(await ahead.take()).to.deep.equal(storedAs("new"));
    expect(await ahead.take(), "taken once").to.equal(undefined);
  });

  it("is nothing when it came to nothing: then it is stored afterwards", async () => {
    const ahead = createListingAhead(() => Promise.reject(new PpioError("NOT_ENOUGH_PROVIDERS", "two are left")), undefined);
    expect(await ahead.take()).to.equal(undefined);
    ahead.begin(entryOf("a"), PROMISED);
    expect(await ahead.take()).to.equal(undefined);
  });

  it("is over when its put is: what was begun is undone before the put fails", async () => {
    let undone = false;
    const put = new AbortController();
    for (const end of ["close", "abort"]) {
      undone = false;
      const ahead = createListingAhead((_entry, _promised, signal) => {
        return standStill(signal).finally(() => {
          undone = true;
        });
      }, put.signal);
      ahead.begin(entryOf("a"), PROMISED);
      if (end === "close") await ahead.close();
      else {
        put.abort(new PpioError("CANCELLED", "enough"));
        expect(await ahead.take()).to.equal(undefined);
      }
      expect(undone).to.equal(true);
    }
  });
});
