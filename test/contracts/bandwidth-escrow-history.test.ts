/**
 * BandwidthEscrow through long random histories: payers, one of them honest, payees, session keys and thieves act at random from a
 * seed; after every step the chain must equal the plain model, and the numbered invariants must hold.
 */
import { type RedeemableVoucher, toRedeemable, voucherMessage } from "@ppio/core";
import { expect } from "chai";
import { type ContractTransactionResponse, getBytes } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import { DELAY_SECONDS, deployEscrow, type EscrowWorld, LATE, mined, NO_BUDGET, type Signer } from "../support/contracts/escrow.ts";
import { EscrowModel, type ModelVoucher } from "../support/contracts/escrow-model.ts";

const SEEDS = [1, 2, 3, 4];
const STEPS = 150;
const KEYS_MAX = 12;

/** Small and repeatable (mulberry32); a failing seed can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Issued {
  readonly model: ModelVoucher;
  readonly onChain: RedeemableVoucher;
}

interface HeldKey {
  readonly payer: Signer;
  readonly key: Signer;
}

class History {
  readonly world: EscrowWorld;
  readonly model = new EscrowModel();
  readonly held: HeldKey[] = [];
  readonly issued: Issued[] = [];
  /** Highest cumulative amount signed per stream. */
  readonly signed = new Map<string, bigint>();
  readonly counts = new Map<string, number>();
  readonly #next: () => number;
  #now = 0n;
  #honestBond = 0n;

  constructor(world: EscrowWorld, seed: number) {
    this.world = world;
    this.#next = random(seed);
  }

  get honest() {
    return this.world.signer(5);
  }

  get payers() {
    return [this.honest, this.world.signer(6), this.world.signer(7)];
  }

  get payees() {
    return [this.world.payee, this.world.stranger, this.world.thief];
  }

  upTo(max: bigint | number): bigint {
    return (BigInt(Math.floor(this.#next() * 2 ** 30)) * BigInt(max)) >> 30n;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#next() * items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Fixes the time of the next block. */
  async tick(mayLeap = true): Promise<bigint> {
    const leap = !mayLeap ? 0n : this.#next() < 0.1 ? this.upTo(DELAY_SECONDS * 2n) : this.upTo(60n);
    this.#now = BigInt(await networkHelpers.time.latest()) + 1n + leap;
    await networkHelpers.time.setNextBlockTimestamp(this.#now);
    return this.#now;
  }

  /** Sends, and holds the contract to what the model says: accepted or refused. */
  async act(name: string, isAccepted: boolean, send: () => Promise<ContractTransactionResponse>): Promise<void> {
    this.counts.set(
      `${name} ${isAccepted ? "accepted" : "refused"}`,
      (this.counts.get(`${name} ${isAccepted ? "accepted" : "refused"}`) ?? 0) + 1,
    );
    const done = await mined(send()).then(
      () => true,
      () => false,
    );
    expect(done, `${name} at ${this.#now}`).to.equal(isAccepted);
  }

  /** What the honest payer's vouchers in hand may still draw. */
  open(payer: string, key?: string): bigint {
    let open = 0n;
    for (const [stream, highest] of this.signed) {
      const [of = "", payee = "", by = ""] = stream.split(" ");
      if (of === payer && (key === undefined || key === by)) open += highest - this.model.redeemedOf(of, payee, by);
    }
    return open;
  }

  async deposit(): Promise<void> {
    const payer = this.pick(this.payers);
    const [reserve, bond] = [this.upTo(1_000n), this.upTo(3n) === 0n ? this.upTo(300n) : 0n];
    await this.tick();
    await this.act("deposit", this.model.deposit(payer.address, reserve, bond), () =>
      this.world.escrow.connect(this.world.payer).deposit(payer, reserve, bond),
    );
    if (payer === this.honest) this.#honestBond += bond;
  }

  async authorize(): Promise<void> {
    const payer = this.pick(this.payers);
    const old = this.#next() < 0.2 && this.held.length > 0 ? this.pick(this.held).key : undefined;
    const key = old ?? ethers.Wallet.createRandom();
    const cap = this.upTo(600n);
    const budget = this.#next() < 0.5 ? NO_BUDGET : this.upTo(900n);
    const now = await this.tick();
    const expiry = now + this.upTo(DELAY_SECONDS * 25n);
    const isNew = this.model.authorize(payer.address, key.address, cap, budget, expiry, now);
    await this.act("authorize", isNew, () => this.world.escrow.connect(payer).authorizeKey(key.address, cap, budget, expiry));
    if (isNew) this.held.push({ payer, key });
    if (this.held.length > KEYS_MAX) this.held.shift();
  }

  async revoke(): Promise<void> {
    if (this.held.length === 0) return;
    const { payer, key } = this.pick(this.held.slice(-4));
    const sender = this.#next() < 0.2 ? this.world.thief : this.pick(this.payers.filter(({ address }) => address === payer.address));
    const now = await this.tick();
    await this.act("revoke", this.model.revoke(sender.address, key.address, now), () =>
      this.world.escrow.connect(sender).revokeKey(key.address),
    );
  }

  /** A key signs more for a payee: the honest payer's only what it can pay, the others' anything. */
  async sign(): Promise<void> {
    if (this.held.length === 0) return;
    const { payer, key } = this.pick(this.held);
    const payee = this.pick(this.payees);
    const stream = `${payer.address} ${payee.address} ${key.address}`;
    const before = this.signed.get(stream) ?? 0n;
    let more = this.upTo(200n);
    if (payer.address === this.honest.address) {
      const account = this.model.account(payer.address);
      const terms = this.model.key(payer.address, key.address);
      const free = account.reserve - account.requestedReserve - this.open(payer.address);
      const left = terms === undefined ? 0n : terms.budgetLeft - this.open(payer.address, key.address);
      more = [more, free, left, (terms?.cap ?? 0n) - before].reduce((least, value) => (value < least ? value : least));
      if (more <= 0n) return;
    }
    this.signed.set(stream, before + more);
    await this.issue(payer.address, payee.address, before + more, key, key.address);
  }

  async issue(
    payer: string,
    payee: string,
    cumulative: bigint,
    signer: Signer,
    signedBy: string | undefined,
    chainId?: bigint,
  ): Promise<void> {
    const value = { payer, payee, cumulativeWei: cumulative };
    const domain = { ...this.world.domain, chainId: chainId ?? this.world.domain.chainId };
    const onChain = toRedeemable(value, await voucherMessage.sign(domain, value, signer));
    this.issued.push({ model: { payer, payee, cumulative, signedBy }, onChain });
  }

  /** Signs for others, or for another chain. */
  async steal(): Promise<void> {
    const { thief } = this.world;
    const payer = this.pick(this.payers).address;
    const cumulative = this.upTo(10_000n);
    if (this.#next() < 0.5 || this.held.length === 0) await this.issue(payer, thief.address, cumulative, thief, thief.address);
    else await this.issue(payer, thief.address, cumulative, this.pick(this.held).key, undefined, 1n);
  }

  async redeem(): Promise<void> {
    if (this.issued.length === 0) return;
    const payee = this.pick(this.payees);
    const recent = this.issued.slice(-40).filter(({ model }) => model.payee === payee.address || this.#next() < 0.1);
    const batch = Array.from({ length: 1 + Number(this.upTo(6n)) }, () => recent.length > 0 && this.pick(recent)).filter(
      (one) => one !== false,
    );
    if (batch.length === 0) return;
    const { escrow } = this.world;
    // A voucher for somebody else is signed by nobody as far as this payee goes.
    const meant = batch.map(({ model }) =>
      model.payee === payee.address ? model : { ...model, payee: payee.address, signedBy: undefined },
    );
    const now = await this.tick();
    const expected = meant.map((voucher) => this.model.redeem(voucher, now));
    const sender = escrow.connect(this.pick([...this.payees, ...this.payers]));
    const vouchers = batch.map(({ onChain }) => onChain);
    const { creditedWei, outcomes } = await sender.redeemBatch.staticCall(payee, vouchers, { blockTag: "pending" });
    await this.act("redeem", true, () => sender.redeemBatch(payee, vouchers));
    expect([...getBytes(outcomes)].map(BigInt)).to.deep.equal(expected.map(({ outcome }) => outcome));
    expect(creditedWei).to.equal(expected.reduce((sum, { paid }) => sum + paid, 0n));
    for (const { outcome } of expected) this.counts.set(`outcome ${outcome}`, (this.counts.get(`outcome ${outcome}`) ?? 0) + 1);
  }

  async request(): Promise<void> {
    const payer = this.pick(this.payers);
    const account = this.model.account(payer.address);
    const free = payer === this.honest ? account.reserve - this.open(payer.address) : account.reserve + 5n;
    const [reserve, bond] = [this.upTo(free + 1n), this.upTo(account.bond + 1n)];
    const now = await this.tick();
    await this.act("request", this.model.request(payer.address, reserve, bond, now), () =>
      this.world.escrow.connect(payer).requestWithdrawal(reserve, bond),
    );
  }

  async cancel(): Promise<void> {
    const payer = this.pick([...this.payers, this.world.thief]);
    await this.tick();
    await this.act("cancel", this.model.cancel(payer.address), () => this.world.escrow.connect(payer).cancelWithdrawal());
  }

  async complete(): Promise<void> {
    const payer = this.pick([...this.payers, this.world.thief]);
    const before = this.model.account(payer.address).bond;
    const ripeAt = this.model.account(payer.address).ripeAt;
    let now = await this.tick();
    if (ripeAt > now && this.#next() < 0.5) {
      now = ripeAt;
      this.#now = now;
      await networkHelpers.time.setNextBlockTimestamp(now);
    }
    await this.act("complete", this.model.complete(payer.address, now), () => this.world.escrow.connect(payer).completeWithdrawal(payer));
    if (payer === this.honest) this.#honestBond -= before - this.model.account(payer.address).bond;
  }

  async withdraw(): Promise<void> {
    const account = this.pick([...this.payees, this.honest]);
    await this.tick();
    await this.act("withdraw", this.model.withdraw(account.address), () => this.world.escrow.connect(account).withdraw(account));
  }

  async burn(): Promise<void> {
    const payer = this.pick(this.payers);
    const now = await this.tick();
    await this.act("burn", this.model.burn(payer.address, now), () => this.world.escrow.burn(payer));
  }

  /** Forged and foreign signatures for every call that takes one; nonces stay. */
  async forge(): Promise<void> {
    const { escrow, thief } = this.world;
    const payer = this.pick(this.payers);
    const to = { payer: payer.address, to: thief.address, nonce: await escrow.nonceOf(payer), deadline: LATE };
    const signature = await this.world.sign(thief, "CompleteWithdrawal", "address payer,address to,uint256 nonce,uint64 deadline", to);
    await this.tick();
    await this.act("forge", false, () => escrow.connect(thief).completeWithdrawalWithSig(payer, thief, LATE, signature));
  }

  async compare(): Promise<void> {
    const { escrow } = this.world;
    for (const { address } of [...this.payers, this.world.thief]) {
      const found = await escrow.accountOf(address);
      const expected = this.model.account(address);
      const { reserve, bond, overdrafts, restitution, restitutionUntil, requestedReserve, requestedBond, ripeAt } = expected;
      expect([...found], address).to.deep.equal([
        reserve,
        bond,
        overdrafts,
        restitution,
        restitutionUntil,
        requestedReserve,
        requestedBond,
        ripeAt,
      ]);
    }
    for (const { address } of [...this.payees, this.honest]) expect(await escrow.creditOf(address)).to.equal(this.model.credit(address));
    expect(await escrow.burnableWei()).to.equal(this.model.burnable);
    for (const { payer, key } of this.held) {
      const found = await escrow.keyOf(payer.address, key.address);
      const expected = this.model.key(payer.address, key.address);
      expect([found.capPerPayeeWei, found.budgetLeftWei, found.expiry]).to.deep.equal([
        expected?.cap,
        expected?.budgetLeft,
        expected?.expiry,
      ]);
    }
  }

  async checkInvariants(): Promise<void> {
    const { world, model } = this;
    let booked = model.burnable;
    let restitution = 0n;
    for (const { reserve, bond, restitution: left } of model.accounts.values()) {
      booked += reserve + bond + left;
      restitution += left;
    }
    for (const credit of model.credits.values()) booked += credit;
    expect(await world.token.balanceOf(world.escrow), "E1").to.equal(booked);
    expect(await world.token.balanceOf(await world.escrow.BURN_ADDRESS()), "E11").to.equal(model.burnt);
    expect(model.burnt + model.burnable + restitution + model.restored, "E6").to.equal(model.bondsTaken);
    expect(model.restored * 3n <= model.bondsTaken, "E6").to.equal(true);
    for (const [stream, highest] of this.signed) {
      const [payer = "", payee = "", key = ""] = stream.split(" ");
      const redeemed = await world.escrow.redeemedOf(payer, payee, key);
      expect(redeemed, "E2").to.equal(model.redeemedOf(payer, payee, key));
      expect(redeemed <= highest && redeemed <= (model.key(payer, key)?.cap ?? 0n), "E2").to.equal(true);
    }
    for (const [of, { budget, budgetLeft }] of model.keys) {
      if (budget !== NO_BUDGET) expect((model.spentByKey.get(of) ?? 0n) + budgetLeft, "E3").to.equal(budget);
    }
    const honest = await world.escrow.accountOf(this.honest);
    expect([honest.overdrafts, honest.bondWei], "E5").to.deep.equal([0n, this.#honestBond]);
  }

  async run(): Promise<void> {
    const steps: [number, () => Promise<void>][] = [
      [10, () => this.deposit()],
      [9, () => this.authorize()],
      [3, () => this.revoke()],
      [30, () => this.sign()],
      [4, () => this.steal()],
      [24, () => this.redeem()],
      [6, () => this.request()],
      [6, () => this.cancel()],
      [7, () => this.complete()],
      [4, () => this.withdraw()],
      [5, () => this.burn()],
      [1, () => this.forge()],
    ];
    const total = steps.reduce((sum, [weight]) => sum + weight, 0);
    for (let step = 0; step < STEPS; step += 1) {
      let at = this.#next() * total;
      const chosen = steps.find(([weight]) => {
        at -= weight;
        return at < 0;
      });
      await chosen?.[1]();
      await this.compare();
      await this.checkInvariants();
    }
  }

  /** Everybody leaves; nothing may stay behind. */
  async leave(): Promise<void> {
    for (const payer of this.payers) {
      const { reserve, bond } = this.model.account(payer.address);
      const now = await this.tick(false);
      await this.act("request", this.model.request(payer.address, reserve, bond, now), () =>
        this.world.escrow.connect(payer).requestWithdrawal(reserve, bond),
      );
    }
    await this.world.pass(DELAY_SECONDS);
    for (const payer of this.payers) {
      const now = await this.tick(false);
      await this.act("complete", this.model.complete(payer.address, now), () => this.world.escrow.connect(payer).completeWithdrawal(payer));
    }
    for (const payer of this.payers) {
      const now = await this.tick(false);
      await this.act("burn", this.model.burn(payer.address, now), () => this.world.escrow.burn(payer));
    }
    for (const payee of [...this.payees, this.honest]) {
      await this.act("withdraw", this.model.withdraw(payee.address), () => this.world.escrow.connect(payee).withdraw(payee));
    }
    expect(await this.world.token.balanceOf(this.world.escrow)).to.equal(0n);
  }
}

describe("BandwidthEscrow through random histories (E1 to E11)", function () {
  this.timeout(180_000);
  const seen = new Map<string, number>();
  for (const seed of SEEDS) {
    it(`does what the model does through ${STEPS} random steps and lets everybody leave, seed ${seed}`, async () => {
      const history = new History(await networkHelpers.loadFixture(deployEscrow), seed);
      await history.run();
      await history.leave();
      for (const [name, count] of history.counts) seen.set(name, (seen.get(name) ?? 0) + count);
    });
  }

  it("tried every action, and every outcome of a voucher came up", () => {
    for (const name of ["deposit", "authorize", "revoke", "redeem", "request", "cancel", "complete", "withdraw", "burn"]) {
      expect(seen.get(`${name} accepted`) ?? 0, name).to.be.greaterThan(1);
    }
    for (const name of ["authorize", "revoke", "complete", "cancel", "forge"])
      expect(seen.get(`${name} refused`) ?? 0, name).to.be.greaterThan(0);
    for (let outcome = 0; outcome < 6; outcome += 1) expect(seen.get(`outcome ${outcome}`) ?? 0, `outcome ${outcome}`).to.be.greaterThan(2);
  });
});
