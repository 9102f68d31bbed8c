import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { findChromium, NO_CHROMIUM, startChromium, type TestBrowser, type TestPage } from "../support/browser/chromium.ts";
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
});
