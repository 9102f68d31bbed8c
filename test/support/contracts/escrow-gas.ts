/**
 * What redeeming vouchers costs: whole transactions by the receipt, calldata and base fee included, divided by the vouchers in them.
 * Every voucher of a batch is of another payer, so that nothing is warm but the code and the payee.
 */
import { authorizeKeyMessage, type RedeemableVoucher } from "@ppio/core";
import { type BaseWallet, Wallet } from "ethers";
import { networkHelpers } from "./chain.ts";
import { type EscrowWorld, KEY_SECONDS, LATE, mined, NO_BUDGET } from "./escrow.ts";

/** A credit window of 1 MiB at a price of about 0.01 tokens per GiB, and what a day's traffic might come to. */
const STEP_WEI = 12_345_678_901_234_567n;
const RESERVE_WEI = 100n * STEP_WEI;

export interface VoucherGas {
  /** Never redeemed before: stream and credit are new. */
  readonly firstEach: number;
  /** Redeemed before, keys without a budget. */
  readonly warmEach: number;
  /** The first one after the payer revoked some other key. */
  readonly afterRevocationEach: number;
  readonly firstWithBudgetEach: number;
  readonly warmWithBudgetEach: number;
  /** One voucher in a transaction of its own. */
  readonly single: number;
  /** Every one overdrawn for the first time, of a new stream, with a bond and a budget: the dearest. */
  readonly overdrawnEach: number;
  readonly overdrawnTransaction: number;
}

interface Stream {
  readonly payer: BaseWallet;
  readonly key: BaseWallet;
}

/** A wallet that is the same in every run. */
function wallet(index: number): BaseWallet {
  return new Wallet(`0x${(0x1000_0000 + index).toString(16).padStart(64, "0")}`);
}

/** Payers that never send anything: a sponsor deposits for them and carries their signatures. */
async function openStreams(world: EscrowWorld, from: number, count: number, budgetWei: bigint, reserveWei: bigint): Promise<Stream[]> {
  const { escrow, domain } = world;
  const expiry = (await networkHelpers.time.latest()) + KEY_SECONDS;
  const streams = Array.from({ length: count }, (_, at) => ({ payer: wallet(2 * (from + at)), key: wallet(2 * (from + at) + 1) }));
  for (const { payer, key } of streams) {
    await world.fund(reserveWei, 30n, payer.address);
    const terms = { payer: payer.address, key: key.address, capPerPayeeWei: RESERVE_WEI, budgetWei, expiry, nonce: 0n, deadline: LATE };
    const signature = await authorizeKeyMessage.sign(domain, terms, payer);
    await mined(escrow.authorizeKeyWithSig(payer.address, key.address, RESERVE_WEI, budgetWei, expiry, LATE, signature));
  }
  return streams;
}

async function redeemAll(world: EscrowWorld, streams: readonly Stream[], cumulativeWei: bigint): Promise<bigint> {
  const vouchers: RedeemableVoucher[] = [];
  for (const { payer, key } of streams) vouchers.push(await world.voucher(key, cumulativeWei, payer.address));
  return (await mined(world.escrow.connect(world.payee).redeemBatch(world.payee, vouchers))).gasUsed;
}

/** Opens `count` streams of each kind (at most `VOUCHERS_PER_CALL_MAX`) and measures their redemption. */
export async function measureVoucherGas(world: EscrowWorld, count = 100): Promise<VoucherGas> {
  const each = (gas: bigint) => Math.ceil(Number(gas) / count);
  const plain = await openStreams(world, 0, count, NO_BUDGET, RESERVE_WEI);
  const first = await redeemAll(world, plain, STEP_WEI);
  const warm = await redeemAll(world, plain, 2n * STEP_WEI);
  for (const { payer } of plain) await revokeAnother(world, payer);
  const afterRevocation = await redeemAll(world, plain, 3n * STEP_WEI);

  const limited = await openStreams(world, 1_000, count, RESERVE_WEI, RESERVE_WEI);
  const firstWithBudget = await redeemAll(world, limited, STEP_WEI);
  const warmWithBudget = await redeemAll(world, limited, 2n * STEP_WEI);
  const single = await redeemAll(world, plain.slice(0, 1), 4n * STEP_WEI);

  const poor = await openStreams(world, 2_000, count, RESERVE_WEI, 1n);
  const overdrawn = await redeemAll(world, poor, 20n);
  return {
    firstEach: each(first),
    warmEach: each(warm),
    afterRevocationEach: each(afterRevocation),
    firstWithBudgetEach: each(firstWithBudget),
    warmWithBudgetEach: each(warmWithBudget),
    single: Number(single),
    overdrawnEach: each(overdrawn),
    overdrawnTransaction: Number(overdrawn),
  };
}

/** The payer authorises and revokes a key that has nothing to do with the stream. */
async function revokeAnother(world: EscrowWorld, payer: BaseWallet): Promise<void> {
  const { escrow, domain } = world;
  const key = wallet(9_999).address;
  const expiry = (await networkHelpers.time.latest()) + KEY_SECONDS;
  const terms = { payer: payer.address, key, capPerPayeeWei: 1n, budgetWei: 1n, expiry, nonce: 1n, deadline: LATE };
  const authorisation = await authorizeKeyMessage.sign(domain, terms, payer);
  await mined(escrow.authorizeKeyWithSig(payer.address, key, 1n, 1n, expiry, LATE, authorisation));
  const value = { payer: payer.address, key, nonce: 2n, deadline: LATE };
  const revocation = await world.sign(payer, "RevokeKey", "address payer,address key,uint256 nonce,uint64 deadline", value);
  await mined(escrow.revokeKeyWithSig(payer.address, key, LATE, revocation));
}
