/** A reader and a provider count what is owed each for itself; whatever gets lost between them, they come to agree again. */
import {
  type AnswerReader,
  createMemoryPayStore,
  createPayer,
  decodeVoucher,
  isPpioError,
  type PayStore,
  PpioError,
  type ProviderApi,
  paymentDetailsBody,
  readCostWei,
} from "@ppio/core";
import { FORGIVE_MS } from "@ppio/provider";
import { expect } from "chai";
import fc from "fast-check";
import { codeOf } from "../support/code-of.ts";
import { fundsOf, newAccount, newChain, openDesk, PAY_DOMAIN, PRICE_WEI, SELLER } from "../support/provider/paid-stream.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const WINDOW_BYTES = 1 << 20;
const WINDOW_WEI = readCostWei(PRICE_WEI, WINDOW_BYTES);
const STEP_WEI = 16n * WINDOW_WEI;
const REQUEST = { dealId: "", slotIndex: 0, offset: 0, authorization: "" };

type Fate = "well" | "lost" | "cut" | "given up" | "refused" | "reader dies" | "provider dies" | "provider restarts";
const FATES: readonly Fate[] = [
  "well",
  "well",
  "well",
  "lost",
  "cut",
  "given up",
  "refused",
  "reader dies",
  "provider dies",
  "provider restarts",
];

interface Step {
  readonly fate: Fate;
  readonly bytes: number;
}

const steps = fc.array(
  fc.record({ fate: fc.constantFrom(...FATES), bytes: fc.integer({ min: 1, max: WINDOW_BYTES / 128 }).map((units) => units * 128) }),
  { minLength: 1, maxLength: 40 },
);

/** One reader, one provider, a wire that does what it is told. */
class Wire {
  readonly chain = newChain();
  readonly #store: PayStore = createMemoryPayStore(newAccount());
  nowMs = 1_750_000_000_000;
  servedWei = 0n;
  cameWei = 0n;
  crashes = 0;
  #fate: Fate = "well";
  #payer = this.newPayer();
  #provider: Awaited<ReturnType<typeof openDesk>>;
  readonly #dir: string;

  private constructor(dir: string, provider: Awaited<ReturnType<typeof openDesk>>) {
    this.#dir = dir;
    this.#provider = provider;
  }

  static async use(work: (wire: Wire) => Promise<void>): Promise<void> {
    const dir = await temporaryFolder();
    const first = await openDesk(dir, newChain(), () => 0);
    const wire = new Wire(dir, first);
    await first.ledger.close();
    wire.#provider = await wire.#openProvider();
    try {
      await work(wire);
    } finally {
      await wire.#provider.ledger.close();
    }
  }

  get paidWei(): bigint {
    return this.#provider.ledger.all()[0]?.cumulativeWei ?? 0n;
  }

  async step({ fate, bytes }: Step): Promise<PpioError | undefined> {
    this.#fate = fate;
    if (fate === "provider dies" || fate === "provider restarts") {
      if (fate === "provider restarts") await this.#provider.desk.close();
      else await this.#provider.ledger.close();
      this.#provider = await this.#openProvider();
      return undefined;
    }
    const api = this.#payer.api({ readSlot: (request) => this.#serve(request) } as ProviderApi, SELLER);
    let failure: PpioError | undefined;
    try {
      const answer = await api.readSlot({ ...REQUEST, length: bytes });
      if (fate === "reader dies") await answer.readExactly(Math.floor(bytes / 2));
      else if (fate === "given up") await answer.readExactly(Math.floor(bytes / 2)).then(() => answer.close());
      else await answer.readExactly(bytes).then(() => answer.end());
      if (fate !== "reader dies") await answer.close();
      this.cameWei += readCostWei(PRICE_WEI, bytes);
    } catch (error) {
      if (!isPpioError(error)) throw error;
      failure = error;
    }
    if (fate === "reader dies") {
      this.crashes += 1;
      this.#payer = this.newPayer();
    }
    return failure;
  }

  /** Another process of the same reader goes on. */
  actAs(payer = this.newPayer()): void {
    this.#payer = payer;
  }

  flush(): Promise<void> {
    return this.#payer.flush();
  }

  newPayer() {
    return createPayer({ domain: PAY_DOMAIN, store: this.#store, funds: fundsOf(this.chain), nowMs: () => this.nowMs, hint: "pay" });
  }

  #openProvider() {
    return openDesk(this.#dir, this.chain, () => this.nowMs);
  }

  async #serve({ voucher, length }: { readonly voucher?: string; readonly length: number }): Promise<AnswerReader> {
    const charge = await this.#provider.desk.charge({ voucher, from: "reader" }, length).catch((error) => {
      // As it comes over HTTP.
      if (!isPpioError(error)) throw error;
      throw new PpioError(error.code, error.message, { details: { ...error.details, status: 402 } });
    });
    if (this.#fate === "refused") {
      charge.refund();
      throw new PpioError("REFUSED", "busy", { details: { status: 403 } });
    }
    this.servedWei += readCostWei(PRICE_WEI, length);
    if (this.#fate === "lost") throw new PpioError("NETWORK", "cut off");
    let left = this.#fate === "cut" ? Math.floor(length / 3) : length;
    const readExactly = async (bytes: number): Promise<Uint8Array> => {
      if (bytes > left) throw new PpioError("NETWORK", "cut off");
      left -= bytes;
      return new Uint8Array(bytes);
    };
    return { readExactly, readInto: async (target) => void (await readExactly(target.length)), end: async () => {}, close: async () => {} };
  }
}

describe("reader and provider of a paid stream", function () {
  this.timeout(120_000);
  after(removeTemporaryFolders);

  it("agree to the wei when nothing is lost, rounding and refusals included", async () => {
    const quiet = steps.map((all) => all.map((step) => ({ ...step, fate: step.fate === "refused" ? step.fate : ("well" as const) })));
    await fc.assert(
      fc.asyncProperty(quiet, (all) =>
        Wire.use(async (wire) => {
          for (const step of all) {
            const failure = await wire.step(step);
            expect(failure?.code).to.equal(step.fate === "refused" ? "REFUSED" : undefined);
          }
          expect(wire.cameWei).to.equal(wire.servedWei);
          // A voucher that went ahead of a read that was refused is worth a window at most.
          expect(wire.paidWei >= wire.servedWei && wire.paidWei <= wire.servedWei + WINDOW_WEI).to.equal(true);
        }),
      ),
      { numRuns: 40 },
    );
  });

  it("never serve unpaid beyond the credit, nor pay for nothing beyond what may be lost, whatever is lost and whoever dies", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (all) =>
        Wire.use(async (wire) => {
          for (const step of all) {
            await wire.step(step);
            const deaths = BigInt(all.filter(({ fate }) => fate === "provider dies").length);
            // A provider that dies forgets what it served since the last voucher, and that is at most two windows.
            expect(wire.servedWei <= wire.paidWei + (1n + 2n * deaths) * WINDOW_WEI, "served unpaid").to.equal(true);
            const lostMax = WINDOW_WEI + wire.cameWei / 16n + 2n * WINDOW_WEI + BigInt(wire.crashes) * STEP_WEI;
            expect(wire.paidWei <= wire.cameWei + lostMax, "paid for nothing").to.equal(true);
          }
        }),
      ),
      { numRuns: 40 },
    );
  });

  it("go on after all that was lost, at the latest when the provider has forgiven it", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (all) =>
        Wire.use(async (wire) => {
          for (const step of all) await wire.step(step);
          wire.nowMs += FORGIVE_MS + 1;
          for (let read = 0; read < 5; read += 1) {
            const failure = await wire.step({ fate: "well", bytes: WINDOW_BYTES });
            expect(failure?.message).to.equal(undefined);
          }
          await wire.flush();
        }),
      ),
      { numRuns: 40 },
    );
  });

  it("count each read once when two processes of a reader take turns, and the next one goes on from there", async () => {
    const order = fc.array(
      fc.record({ who: fc.nat(1), bytes: fc.integer({ min: 1, max: WINDOW_BYTES / 128 }).map((units) => units * 128) }),
      {
        minLength: 2,
        maxLength: 60,
      },
    );
    await fc.assert(
      fc.asyncProperty(order, (turns) =>
        Wire.use(async (wire) => {
          const others = [wire.newPayer(), wire.newPayer()];
          for (const { who, bytes } of turns) {
            wire.actAs(others[who]);
            expect((await wire.step({ fate: "well", bytes }))?.message).to.equal(undefined);
          }
          for (const other of others) await other.flush();
          expect(wire.paidWei <= wire.servedWei, "nothing twice").to.equal(true);
          expect(wire.servedWei <= wire.paidWei + WINDOW_WEI, "nothing unpaid").to.equal(true);
          wire.actAs(wire.newPayer());
          for (let read = 0; read < 3; read += 1)
            expect((await wire.step({ fate: "well", bytes: WINDOW_BYTES }))?.message).to.equal(undefined);
          expect(wire.paidWei <= wire.servedWei, "nothing twice after it").to.equal(true);
        }),
      ),
      { numRuns: 60 },
    );
  });

  it("part when every answer is lost, and find each other again when the provider has forgiven it", async () => {
    await Wire.use(async (wire) => {
      const lossy = { fate: "lost", bytes: WINDOW_BYTES } as const;
      const failures: (PpioError | undefined)[] = [];
      for (let read = 0; read < 8; read += 1) failures.push(await wire.step(lossy));
      expect(failures.at(-1)?.code).to.equal("REFUSED");
      expect(failures.at(-1)?.message).to.match(/says that \d+ wei are owed to it/);
      expect(wire.paidWei <= 2n * WINDOW_WEI).to.equal(true);
      expect((await wire.step({ fate: "well", bytes: WINDOW_BYTES }))?.code).to.equal("REFUSED");
      wire.nowMs += FORGIVE_MS + 1;
      expect(await wire.step({ fate: "well", bytes: WINDOW_BYTES })).to.equal(undefined);
    });
  });

  it("are not both honest: one that serves nothing and claims ever more gets two windows at most", async () => {
    const account = newAccount();
    const store = createMemoryPayStore(account);
    let paidWei = 0n;
    let claimedWei = 0n;
    const terms = { pricePerGibWei: PRICE_WEI, payee: SELLER.owner, escrow: PAY_DOMAIN.escrow, creditBytes: 0 };
    const liar = {
      readSlot: async ({ voucher }: { readonly voucher?: string }) => {
        if (voucher !== undefined) {
          const { cumulativeWei } = decodeVoucher(voucher);
          if (cumulativeWei > paidWei) paidWei = cumulativeWei;
        }
        claimedWei = paidWei + WINDOW_WEI / 2n;
        const reason = voucher === undefined ? "missing" : "short";
        const details = paymentDetailsBody({ reason, terms, owedWei: claimedWei, paidWei, neededWei: claimedWei });
        throw new PpioError("PAYMENT_REQUIRED", "pay", { details: { ...details, status: 402 } });
      },
    } as unknown as ProviderApi;
    const funds = fundsOf(newChain());
    const payer = createPayer({ domain: PAY_DOMAIN, store, funds, nowMs: () => 1_750_000_000_000, hint: "pay" });
    for (let read = 0; read < 20; read += 1) {
      const failure = await codeOf(payer.api(liar, SELLER).readSlot({ ...REQUEST, length: WINDOW_BYTES }));
      expect(failure).to.equal("REFUSED");
      expect(paidWei <= 2n * WINDOW_WEI).to.equal(true);
    }
  });

  it("pay nobody but the owner of the registry, nothing above the user's price, and no more than the reserve", async () => {
    const chain = newChain();
    const served: bigint[] = [];
    const terms = { pricePerGibWei: PRICE_WEI, payee: SELLER.owner, escrow: PAY_DOMAIN.escrow, creditBytes: 0 };
    const asking = (change: Partial<typeof terms>) =>
      ({
        readSlot: async ({ voucher }: { readonly voucher?: string }) => {
          if (voucher !== undefined) {
            served.push(decodeVoucher(voucher).cumulativeWei);
            return { readExactly: async () => new Uint8Array(), readInto: async () => {}, end: async () => {}, close: async () => {} };
          }
          const details = paymentDetailsBody({
            reason: "missing",
            terms: { ...terms, ...change },
            owedWei: 0n,
            paidWei: 0n,
            neededWei: 0n,
          });
          throw new PpioError("PAYMENT_REQUIRED", "pay", { details: { ...details, status: 402 } });
        },
      }) as unknown as ProviderApi;
    const payerWith = (store: PayStore) =>
      createPayer({ domain: PAY_DOMAIN, store, funds: fundsOf(chain), nowMs: () => 1_750_000_000_000, hint: "pay" });
    const outcome = async (api: ProviderApi, store = createMemoryPayStore(newAccount())): Promise<string | undefined> => {
      try {
        await (
          await payerWith(store)
            .api(api, SELLER)
            .readSlot({ ...REQUEST, length: WINDOW_BYTES })
        ).close();
        return undefined;
      } catch (error) {
        if (!isPpioError(error)) throw error;
        return `${error.code} ${error.details["unpaid"]}`;
      }
    };
    expect(await outcome(asking({ payee: newAccount().payer }))).to.equal("REFUSED undefined");
    expect(await outcome(asking({ pricePerGibWei: PRICE_WEI + 1n }))).to.equal("PAYMENT_REQUIRED price");
    expect(await outcome(asking({}), createMemoryPayStore())).to.equal("PAYMENT_REQUIRED no-account");
    const account = newAccount();
    expect(await outcome(asking({}), createMemoryPayStore({ ...account, key: { ...account.key, expiry: 1 } }))).to.equal(
      "PAYMENT_REQUIRED key",
    );
    chain.spendableWei = WINDOW_WEI - 1n;
    expect(await outcome(asking({}))).to.equal("PAYMENT_REQUIRED reserve");
    expect(served).to.deep.equal([]);
    chain.spendableWei = WINDOW_WEI;
    expect(await outcome(asking({}))).to.equal(undefined);
    expect(served).to.deep.equal([WINDOW_WEI]);
  });
});
