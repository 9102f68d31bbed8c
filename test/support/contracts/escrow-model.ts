/**
 * What BandwidthEscrow should do, said once more in plain bigints: the slow twin that random histories are compared with.
 * Every action says whether the contract accepts it; `now` is the timestamp of its block.
 */
import { DELAY_SECONDS, NO_BUDGET, OUTCOME } from "./escrow.ts";

export interface ModelAccount {
  reserve: bigint;
  bond: bigint;
  overdrafts: bigint;
  restitution: bigint;
  restitutionUntil: bigint;
  requestedReserve: bigint;
  requestedBond: bigint;
  ripeAt: bigint;
}

export interface ModelKey {
  readonly cap: bigint;
  readonly budget: bigint;
  budgetLeft: bigint;
  expiry: bigint;
}

export interface ModelVoucher {
  readonly payer: string;
  readonly payee: string;
  readonly cumulative: bigint;
  /** Who really signed, over the payer and payee named; undefined for a broken or foreign signature. */
  readonly signedBy: string | undefined;
}

const min = (...values: bigint[]): bigint => values.reduce((least, value) => (value < least ? value : least));

function of<V>(map: Map<string, V>, key: string, empty: () => V): V {
  const value = map.get(key) ?? empty();
  map.set(key, value);
  return value;
}

export class EscrowModel {
  readonly accounts = new Map<string, ModelAccount>();
  readonly keys = new Map<string, ModelKey>();
  readonly redeemed = new Map<string, bigint>();
  readonly credits = new Map<string, bigint>();
  burnable = 0n;
  burnt = 0n;
  /** Ghosts, for the invariants: all that was ever taken of bonds, paid as restitution, paid from a key's budget. */
  bondsTaken = 0n;
  restored = 0n;
  readonly spentByKey = new Map<string, bigint>();

  account(payer: string): ModelAccount {
    return of(this.accounts, payer, () => ({
      reserve: 0n,
      bond: 0n,
      overdrafts: 0n,
      restitution: 0n,
      restitutionUntil: 0n,
      requestedReserve: 0n,
      requestedBond: 0n,
      ripeAt: 0n,
    }));
  }

  key(payer: string, key: string): ModelKey | undefined {
    return this.keys.get(`${payer} ${key}`);
  }

  credit(account: string): bigint {
    return this.credits.get(account) ?? 0n;
  }

  redeemedOf(payer: string, payee: string, key: string): bigint {
    return this.redeemed.get(`${payer} ${payee} ${key}`) ?? 0n;
  }

  deposit(payer: string, reserve: bigint, bond: bigint): boolean {
    if (reserve + bond === 0n) return false;
    const account = this.account(payer);
    account.reserve += reserve;
    account.bond += bond;
    return true;
  }

  authorize(payer: string, key: string, cap: bigint, budget: bigint, expiry: bigint, now: bigint): boolean {
    if (this.key(payer, key) !== undefined || cap === 0n || budget === 0n || expiry <= now) return false;
    this.keys.set(`${payer} ${key}`, { cap, budget, budgetLeft: budget, expiry });
    return true;
  }

  revoke(payer: string, key: string, now: bigint): boolean {
    const record = this.key(payer, key);
    if (record === undefined || record.expiry <= now) return false;
    record.expiry = now;
    return true;
  }

  redeem(voucher: ModelVoucher, now: bigint): { paid: bigint; outcome: bigint } {
    const { payer, payee, signedBy = "" } = voucher;
    const key = this.key(payer, signedBy);
    if (key === undefined) return { paid: 0n, outcome: OUTCOME.UnknownKey };
    if (now > key.expiry + DELAY_SECONDS) return { paid: 0n, outcome: OUTCOME.KeyEnded };
    const before = this.redeemedOf(payer, payee, signedBy);
    const owed = min(voucher.cumulative, key.cap) - before;
    if (owed <= 0n) return { paid: 0n, outcome: voucher.cumulative > key.cap ? OUTCOME.AtCap : OUTCOME.NothingNew };
    const account = this.account(payer);
    const taken = min(owed, account.reserve, key.budgetLeft);
    account.reserve -= taken;
    this.spentByKey.set(`${payer} ${signedBy}`, (this.spentByKey.get(`${payer} ${signedBy}`) ?? 0n) + taken);
    if (key.budget !== NO_BUDGET) key.budgetLeft -= taken;
    const restored = taken < owed ? this.#answer(account, owed - taken, now) : 0n;
    this.redeemed.set(`${payer} ${payee} ${signedBy}`, before + taken + restored);
    this.credits.set(payee, this.credit(payee) + taken + restored);
    return { paid: taken + restored, outcome: taken < owed ? OUTCOME.Overdrawn : OUTCOME.Paid };
  }

  #answer(account: ModelAccount, short: bigint, now: bigint): bigint {
    this.#lapse(account, now);
    account.overdrafts += 1n;
    if (account.bond > 0n) {
      const third = account.bond / 3n;
      this.burnable += account.bond - third;
      this.bondsTaken += account.bond;
      account.restitution += third;
      account.restitutionUntil = now + DELAY_SECONDS;
      account.bond = 0n;
    }
    const restored = min(short, account.restitution);
    account.restitution -= restored;
    this.restored += restored;
    return restored;
  }

  #lapse(account: ModelAccount, now: bigint): void {
    if (account.restitution === 0n || now <= account.restitutionUntil) return;
    this.burnable += account.restitution;
    account.restitution = 0n;
  }

  request(payer: string, reserve: bigint, bond: bigint, now: bigint): boolean {
    const account = this.account(payer);
    if (reserve + bond === 0n || reserve > account.reserve || bond > account.bond) return false;
    Object.assign(account, { requestedReserve: reserve, requestedBond: bond, ripeAt: now + DELAY_SECONDS });
    return true;
  }

  cancel(payer: string): boolean {
    const account = this.account(payer);
    if (account.ripeAt === 0n) return false;
    Object.assign(account, { requestedReserve: 0n, requestedBond: 0n, ripeAt: 0n });
    return true;
  }

  complete(payer: string, now: bigint): boolean {
    const account = this.account(payer);
    if (account.ripeAt === 0n || now < account.ripeAt || now > account.ripeAt + DELAY_SECONDS) return false;
    account.reserve -= min(account.reserve, account.requestedReserve);
    account.bond -= min(account.bond, account.requestedBond);
    return this.cancel(payer);
  }

  withdraw(account: string): boolean {
    return this.credit(account) > 0n && this.credits.set(account, 0n) !== undefined;
  }

  burn(payer: string, now: bigint): boolean {
    const account = this.account(payer);
    const lapsed = now > account.restitutionUntil ? account.restitution : 0n;
    if (this.burnable + lapsed === 0n) return false;
    this.#lapse(account, now);
    this.burnt += this.burnable;
    this.burnable = 0n;
    return true;
  }
}
