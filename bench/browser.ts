/** How fast does a browser hash pairs for the slot tree? GB/s of input in headless Chromium, beside plain JavaScript there. */
import { findChromium, NO_CHROMIUM, startChromium } from "../test/support/browser/chromium.ts";
import type { PageApi } from "../test/support/browser/page.ts";
import { compare } from "./support/interleave.ts";

const path = findChromium();
const browser = path === undefined ? undefined : await startChromium(path);
if (browser === undefined) console.log(NO_CHROMIUM);
else {
  try {
    const page = await browser.open();
    let rates = { kernel: 0, plain: 0 };
    await compare({
      name: "pairs of 32 bytes in Chromium, plain JavaScript",
      ours: async () => {
        rates = (await page.evaluate("ppio.hashRates()")) as ReturnType<PageApi["hashRates"]>;
        return rates.kernel;
      },
      peer: () => rates.plain,
      target: 10,
    });
  } finally {
    await browser.close();
  }
}
