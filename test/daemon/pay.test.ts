/** A payer's record on the disk, and what may be spent in a day. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createMemoryPayStore, type PayRecord, type StoredStream } from "@ppio/core";
import { createFilePayStore, DailyBudget } from "@ppio/daemon";
import { expect } from "chai";
import { codeOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const DAY_MS = 86_400_000;
const address = (byte: string): string => `0x${byte.repeat(20)}`;
const streamOf = (payee: string, owedWei: bigint): StoredStream => ({
  key: address("01"),
  payee,
  owedWei,
  limitWei: 2n * owedWei,
  lostWei: 0n,
});
const recordOf = (...streams: readonly StoredStream[]): PayRecord => ({
  ...{ payer: address("02"), key: { privateKey: `0x${"03".repeat(32)}`, address: address("01"), expiry: 7 } },
  ...{ maxPricePerGibWei: 2n ** 90n, streams },
});

describe("a payer's record on the disk", () => {
  let dir: string;
  beforeEach(async () => {
    dir = join(await temporaryFolder(), "pay");
  });
  after(removeTemporaryFolders);

  it("comes back as it was, for its user alone, and there is none before", async () => {
    const store = createFilePayStore(dir);
    expect(await store.read()).to.equal(undefined);
    const record = recordOf(streamOf(address("04"), 2n ** 95n), streamOf(address("05"), 0n));
    await store.change(() => record);
    expect(await createFilePayStore(dir).read()).to.deep.equal(record);
    expect((await stat(join(dir, "account.json"))).mode & 0o777).to.equal(0o600);
  });

  it("takes the changes of several one after the other, and none that fails", async () => {
    const stores = Array.from({ length: 8 }, () => createFilePayStore(dir));
    await Promise.all(
      stores.map((store, at) => store.change((known) => recordOf(...(known?.streams ?? []), streamOf(address(`1${at}`), 1n)))),
    );
    expect((await stores[0]?.read())?.streams).to.have.length(8);
    const failing = stores[0]?.change(() => {
      throw new RangeError("no");
    });
    expect(await failing?.catch((error: Error) => error.message)).to.equal("no");
    expect((await stores[1]?.read())?.streams).to.have.length(8);
  });

  it("is not begun anew when it cannot be read: it says what was signed", async () => {
    const store = createFilePayStore(dir);
    await store.change(() => recordOf(streamOf(address("04"), 5n)));
    const path = join(dir, "account.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"owedWei": "5"', '"owedWei": "x"'));
    expect(await codeOf(store.read())).to.equal("CONFIG");
    expect(await codeOf(store.change(() => recordOf()))).to.equal("CONFIG");
  });
});

describe("a budget for reads", () => {
  after(removeTemporaryFolders);

  it("counts what all accounts owe since midnight, over a restart, and begins anew the next day", async () => {
    const path = join(await temporaryFolder(), "pay", "budget.json");
    const stores = [createMemoryPayStore(recordOf(streamOf(address("04"), 100n))), createMemoryPayStore()];
    let nowMs = 20_000 * DAY_MS + 5;
    const open = (): DailyBudget => new DailyBudget({ path, budgetWei: 10n, stores, now: () => nowMs });
    const owe = (owedWei: bigint) => stores[1]?.change(() => recordOf(streamOf(address("05"), owedWei)));
    const budget = open();
    expect([await budget.mayPay(10n), await budget.mayPay(11n)]).to.deep.equal([true, false]);
    await owe(7n);
    expect([await budget.mayPay(3n), await budget.mayPay(4n)]).to.deep.equal([true, false]);
    expect([await open().mayPay(3n), await open().mayPay(4n)]).to.deep.equal([true, false]);
    nowMs += DAY_MS;
    expect([await budget.mayPay(10n), await budget.mayPay(11n)]).to.deep.equal([true, false]);
  });
});
