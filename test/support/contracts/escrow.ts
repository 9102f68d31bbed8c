/** The bandwidth escrow on a simulated chain: accounts for every role, signed messages, and books to compare with. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { type EscrowDomain, escrowDomain, type RedeemableVoucher, toRedeemable, voucherMessage } from "@ppio/core";
import { expect } from "chai";
import { type BaseWallet, type ContractTransactionReceipt, type ContractTransactionResponse, getBytes, type TypedDataField } from "ethers";
import type { BandwidthEscrow, PpioToken } from "../../../typechain-types/index.ts";
import { ethers, networkHelpers } from "./chain.ts";

export const DELAY_SECONDS = 1_000n;
export const NO_BUDGET = 2n ** 96n - 1n;
export const KEY_SECONDS = 100_000;
/** Unix seconds, beyond any test. */
export const LATE = 4_000_000_000;
export const NO_PERMIT = { value: 0n, deadline: 0n, v: 0, r: `0x${"00".repeat(32)}`, s: `0x${"00".repeat(32)}` };

/** Order of secp256k1's group. */
export const S_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
export const MAX96 = 2n ** 96n - 1n;

/** `IBandwidthEscrow.Outcome`. */
export const OUTCOME = { Paid: 0n, NothingNew: 1n, AtCap: 2n, Overdrawn: 3n, UnknownKey: 4n, KeyEnded: 5n } as const;

/** Who can sign typed data: a signer of the chain or a wallet that never sends anything. */
export type Signer = Pick<BaseWallet, "address" | "signTypedData">;

export interface KeyTerms {
  readonly capPerPayeeWei?: bigint;
  readonly budgetWei?: bigint;
  /** Unix seconds; `KEY_SECONDS` from now unless given. */
  readonly expiry?: number;
}

/** "address payer,uint256 nonce" as ethers wants it: written here once more, because core's own tables are what is tested. */
export function typeOf(name: string, fields: string): Record<string, TypedDataField[]> {
  const parsed = fields.split(",").map((field) => {
    const [type = "", fieldName = ""] = field.split(" ");
    return { type, name: fieldName };
  });
  return { [name]: parsed };
}

export async function mined(transaction: Promise<ContractTransactionResponse>): Promise<ContractTransactionReceipt> {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error("not mined");
  return receipt;
}

export class EscrowWorld {
  readonly escrow: BandwidthEscrow;
  /** Whatever token it is, only what every ERC-20 has is asked of it here. */
  readonly token: PpioToken;
  readonly domain: EscrowDomain;
  readonly signers: readonly HardhatEthersSigner[];

  constructor(escrow: BandwidthEscrow, token: PpioToken, domain: EscrowDomain, signers: readonly HardhatEthersSigner[]) {
    this.escrow = escrow;
    this.token = token;
    this.domain = domain;
    this.signers = signers;
  }

  signer(index: number): HardhatEthersSigner {
    const signer = this.signers[index];
    if (signer === undefined) throw new Error(`no signer ${index}`);
    return signer;
  }

  /** Has the tokens of `deployEscrow`. */
  get payer(): HardhatEthersSigner {
    return this.signer(1);
  }

  get payee(): HardhatEthersSigner {
    return this.signer(2);
  }

  get thief(): HardhatEthersSigner {
    return this.signer(3);
  }

  get stranger(): HardhatEthersSigner {
    return this.signer(4);
  }

  /** The payer deposits for itself or for another payer. */
  async fund(reserveWei: bigint, bondWei: bigint, payer: string = this.payer.address): Promise<ContractTransactionReceipt> {
    return mined(this.escrow.connect(this.payer).deposit(payer, reserveWei, bondWei));
  }

  /** Authorises a fresh session key, or the one given, for a payer that can send. */
  async addKey(terms: KeyTerms = {}, payer: HardhatEthersSigner = this.payer, key: Signer = ethers.Wallet.createRandom()): Promise<Signer> {
    const { capPerPayeeWei = 2n ** 90n, budgetWei = NO_BUDGET, expiry } = terms;
    const until = expiry ?? (await networkHelpers.time.latest()) + KEY_SECONDS;
    await mined(this.escrow.connect(payer).authorizeKey(key.address, capPerPayeeWei, budgetWei, until));
    return key;
  }

  async voucher(
    key: Signer,
    cumulativeWei: bigint,
    payer: string = this.payer.address,
    payee: string = this.payee.address,
  ): Promise<RedeemableVoucher> {
    const voucher = { payer, payee, cumulativeWei };
    return toRedeemable(voucher, await voucherMessage.sign(this.domain, voucher, key));
  }

  /** Redeems one voucher of the payer; sent by a stranger, since anyone may. */
  async redeem(key: Signer, cumulativeWei: bigint, payee: string = this.payee.address): Promise<ContractTransactionReceipt> {
    const voucher = await this.voucher(key, cumulativeWei, this.payer.address, payee);
    return mined(this.escrow.connect(this.stranger).redeem(payee, voucher));
  }

  /** What a batch would do. */
  async preview(
    vouchers: readonly RedeemableVoucher[],
    payee: string = this.payee.address,
  ): Promise<{ creditedWei: bigint; outcomes: bigint[] }> {
    const { creditedWei, outcomes } = await this.escrow.redeemBatch.staticCall(payee, [...vouchers]);
    return { creditedWei, outcomes: [...getBytes(outcomes)].map(BigInt) };
  }

  /** Signs a `…WithSig` message by its text in the manual. */
  async sign(signer: Signer, name: string, fields: string, value: Record<string, unknown>): Promise<string> {
    return signer.signTypedData(escrowDomain(this.domain), typeOf(name, fields), value);
  }

  async pass(seconds: bigint | number): Promise<void> {
    await networkHelpers.time.increase(seconds);
  }
}

/** An escrow over our own token; the payer holds 10,000 tokens and has approved them. */
export async function deployEscrow(): Promise<EscrowWorld> {
  const token = await ethers.deployContract("PpioToken");
  const signers = await ethers.getSigners();
  const world = await deployEscrowOver(token, signers);
  await token.faucet(world.payer);
  return world;
}

/** An escrow over any token, approved by the payer without bound. */
export async function deployEscrowOver(token: PpioToken, signers: readonly HardhatEthersSigner[]): Promise<EscrowWorld> {
  const escrow = await ethers.deployContract("BandwidthEscrow", [token, DELAY_SECONDS]);
  const { chainId } = await ethers.provider.getNetwork();
  const world = new EscrowWorld(escrow, token, { chainId, escrow: await escrow.getAddress() }, signers);
  await mined(token.connect(world.payer).approve(escrow, 2n ** 256n - 1n));
  return world;
}

/** What tests say all the time, of the world that they have by then. */
export function shorthandsOf(world: () => EscrowWorld) {
  return {
    refused(call: Promise<unknown>, error: string, ...values: unknown[]) {
      const matched = expect(call).to.be.revertedWithCustomError(world().escrow, error);
      return values.length === 0 ? matched : matched.withArgs(...values);
    },
    asPayer: () => world().escrow.connect(world().payer),
    account: () => world().escrow.accountOf(world().payer),
    credit: (who: { address: string } = world().payee) => world().escrow.creditOf(who.address),
  };
}
