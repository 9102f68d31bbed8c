import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { createInlinePool } from "../../client/dist/workers/pool.js";
import { findChromium, NO_CHROMIUM, startChromium, type TestBrowser, type TestPage } from "../support/browser/chromium.ts";
import { sealedSlots } from "../support/client/sealed-slots.ts";
import { vectors } from "../support/vectors.ts";

/** Nothing but the page's own script: WebAssembly is refused too. */
const STRICT_POLICY = "script-src 'self'";

const PAGES = [
  { name: "a page of a secure origin", options: {}, facts: { simd: true, webCrypto: true, browserBackends: true } },
  {
    name: "a page of an insecure origin, without WebCrypto",
    options: { isInsecure: true },
    facts: { simd: true, webCrypto: false, browserBackends: false },
  },
  {
    name: "a page whose policy forbids WebAssembly",
    options: { contentSecurityPolicy: STRICT_POLICY },
    facts: { simd: false, webCrypto: true, browserBackends: true },
  },
];

describe("in Chromium", function () {
  this.timeout(120_000);
  let browser: TestBrowser | undefined;

  before(async function () {
    const path = findChromium();
    if (path === undefined) {
      console.log(`    ${NO_CHROMIUM}`);
      this.skip();
    }
    browser = await startChromium(path);
  });

  after(() => browser?.close());

  for (const { name, options, facts } of PAGES) {
    describe(name, () => {
      let page: TestPage;

      before(async () => {
        if (browser === undefined) throw new Error("There is no browser.");
        page = await browser.open(options);
      });

      it("has the backends that this test means to run", async () => {
        expect(await page.evaluate("ppio.facts()")).to.deep.equal(facts);
      });

      it("makes every golden vector", async () => {
        for (const vector of Object.keys(vectors)) {
          const made = JSON.parse(String(await page.evaluate(`ppio.vector("${vector}")`))) as unknown;
          const file = await readFile(new URL(`../vectors/${vector}.json`, import.meta.url), "utf8");
          expect(made, vector).to.deep.equal(JSON.parse(file));
        }
      });

      it("hashes, codes and seals random bytes as the plain twins do", async () => {
        expect(await page.evaluate("ppio.checkKernels()")).to.equal("equal");
      });
    });
  }

  describe("with Web Workers", () => {
    for (const { name, options, isShared, isAnswered } of [
      { name: "an isolated page seals on them", options: { workers: "served", isIsolated: true }, isShared: true, isAnswered: true },
      {
        name: "an isolated page whose bundle left them out seals on its own thread",
        options: { workers: "missing", isIsolated: true },
        isShared: true,
        isAnswered: false,
      },
      { name: "a page that is not isolated seals on its own thread", options: { workers: "served" }, isShared: false, isAnswered: false },
    ] as const) {
      it(`${name}, to the slots and roots that Node makes`, async () => {
        if (browser === undefined) throw new Error("There is no browser.");
        const page = await browser.open(options);
        expect(await page.evaluate("[ppio.isIsolated(), ppio.canShare()]")).to.deep.equal([isShared, isShared]);
        const { answered, ...made } = (await page.evaluate("ppio.sealed()")) as { answered: number };
        expect(answered > 0).to.equal(isAnswered);
        expect(made).to.deep.equal(await sealedSlots(createInlinePool()));
      });
    }
  });
});
