/** Vouchers on the disk: what was acknowledged survives, whatever a crash leaves of the file. */
import { appendFile, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type HeldVoucher, VoucherLedger } from "@ppio/provider";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const address = (byte: string): string => `0x${byte.repeat(20)}`;
const voucherOf = (payer: string, cumulativeWei: bigint): HeldVoucher => ({
  ...{ payer: address(payer), key: address("02"), payee: address("03"), signature: `0x${"04".repeat(65)}` },
  ...{ cumulativeWei, owedWei: cumulativeWei - 1n, openSinceMs: 5 },
});

describe("the ledger of vouchers", () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await temporaryFolder();
    path = join(dir, "vouchers.jsonl");
  });
  after(removeTemporaryFolders);

  const highest = async (): Promise<bigint[]> => {
    const ledger = await VoucherLedger.open(dir);
    const all = ledger.all().map(({ cumulativeWei }) => cumulativeWei);
    await ledger.close();
    return all;
  };

  it("keeps the highest of each stream, in whatever order they come", async () => {
    const ledger = await VoucherLedger.open(dir);
    await Promise.all([3n, 9n, 5n].map((wei) => ledger.put(voucherOf("01", wei))));
    await ledger.put(voucherOf("aa", 2n));
    expect(ledger.find(voucherOf("01", 0n))).to.deep.equal({ ...voucherOf("01", 9n), owedWei: 4n });
    await ledger.close();
    expect(await highest()).to.deep.equal([9n, 2n]);
  });

  it("has lost nothing that was acknowledged when a crash cuts the last line off anywhere, and goes on from there", async () => {
    const ledger = await VoucherLedger.open(dir);
    for (const wei of [1n, 2n]) await ledger.put(voucherOf("01", wei));
    const { size } = await stat(path);
    await ledger.put(voucherOf("01", 3n));
    await ledger.close();
    const whole = await readFile(path);
    for (let length = size; length <= whole.length; length += 7) {
      await writeFile(path, whole);
      await truncate(path, length);
      const again = await VoucherLedger.open(dir);
      expect(again.all()[0]?.cumulativeWei).to.equal(length === whole.length ? 3n : 2n);
      await again.put(voucherOf("01", 4n));
      await again.close();
      expect(await highest(), `cut at ${length}`).to.deep.equal([4n]);
    }
  });

  it("passes over a line that is no voucher", async () => {
    const ledger = await VoucherLedger.open(dir);
    await ledger.put(voucherOf("01", 1n));
    await ledger.close();
    await appendFile(path, '\n{"payer":"0x","cumulativeWei":"x"}\n\u0000\u0000\u0000');
    const again = await VoucherLedger.open(dir);
    await again.put(voucherOf("01", 2n));
    await again.close();
    expect(await highest()).to.deep.equal([2n]);
  });

  it("is written anew when most of it is old, and forgets what is dropped", async () => {
    const ledger = await VoucherLedger.open(dir);
    await ledger.put(voucherOf("aa", 7n));
    for (let round = 0; round < 11; round += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, at) => ledger.put(voucherOf("01", BigInt(100 * round + at + 1)))));
    }
    await ledger.close();
    expect((await readFile(path, "utf8")).split("\n").filter((line) => line !== "")).to.have.length(2);
    const again = await VoucherLedger.open(dir);
    await again.drop([voucherOf("aa", 0n)]);
    await again.close();
    expect(await highest()).to.deep.equal([1_100n]);
  });

  it("refuses what the disk does not take, and holds what it held", async () => {
    const ledger = await VoucherLedger.open(join(dir, "missing"));
    expect(await codeOf(ledger.put(voucherOf("01", 1n)))).to.equal("IO");
    expect(ledger.size).to.equal(0);
    await ledger.close();
  });
});
