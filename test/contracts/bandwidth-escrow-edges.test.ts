/** BandwidthEscrow at its edges: signatures for others to send, TypeScript's view of them, hostile tokens, storage and gas. */
import {
  AUTHORIZE_KEY_TYPES,
  authorizeKeyMessage,
  CANCEL_WITHDRAWAL_TYPES,
  COMPLETE_WITHDRAWAL_TYPES,
  DEPOSIT_TYPES,
  escrowDomain,
  REQUEST_WITHDRAWAL_TYPES,
  REVOKE_KEY_TYPES,
  toRedeemable,
  VOUCHER_TYPES,
  voucherMessage,
} from "@ppio/core";
import { expect } from "chai";
import { AbiCoder, keccak256, TypedDataEncoder, toBeHex } from "ethers";
import fc from "fast-check";
import type { PpioToken } from "../../typechain-types/index.ts";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import {
  DELAY_SECONDS,
  deployEscrow,
  deployEscrowOver,
  type EscrowWorld,
  KEY_SECONDS,
  LATE,
  MAX96,
  NO_BUDGET,
  NO_PERMIT,
  OUTCOME,
  S_ORDER,
  shorthandsOf,
  typeOf,
} from "../support/contracts/escrow.ts";
import { measureVoucherGas } from "../support/contracts/escrow-gas.ts";

const DEPOSIT = "address from,address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline";
const AUTHORIZE = "address payer,address key,uint96 capPerPayeeWei,uint96 budgetWei,uint40 expiry,uint256 nonce,uint64 deadline";
const REVOKE = "address payer,address key,uint256 nonce,uint64 deadline";
const REQUEST = "address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline";
const CANCEL = "address payer,uint256 nonce,uint64 deadline";
const COMPLETE = "address payer,address to,uint256 nonce,uint64 deadline";
const WITHDRAW = "address account,address to,uint256 nonce,uint64 deadline";

describe("BandwidthEscrow at its edges", function () {
  this.timeout(60_000);
  let world: EscrowWorld;
  const { refused, asPayer, account, credit } = shorthandsOf(() => world);
  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployEscrow);
  });

  describe("signatures for others to send (E9)", () => {
    it("do all that a payer and a payee can do, once", async () => {
      const { escrow, payer, payee, stranger } = world;
      const sent = escrow.connect(stranger);
      const key = ethers.Wallet.createRandom();
      const expiry = (await networkHelpers.time.latest()) + KEY_SECONDS;
      const by = { payer: payer.address, deadline: LATE };
      const deposit = { from: payer.address, payer: payer.address, reserveWei: 100n, bondWei: 9n, nonce: 0n, deadline: LATE };
      const steps: [string, string, Record<string, unknown>, (signature: string) => Promise<unknown>][] = [
        ["Deposit", DEPOSIT, deposit, (s) => sent.depositWithSig(payer, payer, 100n, 9n, LATE, s, NO_PERMIT)],
        [
          "AuthorizeKey",
          AUTHORIZE,
          { ...by, key: key.address, capPerPayeeWei: 50n, budgetWei: 60n, expiry, nonce: 1n },
          (s) => sent.authorizeKeyWithSig(payer, key.address, 50n, 60n, expiry, LATE, s),
        ],
        [
          "RequestWithdrawal",
          REQUEST,
          { ...by, reserveWei: 1n, bondWei: 0n, nonce: 2n },
          (s) => sent.requestWithdrawalWithSig(payer, 1n, 0n, LATE, s),
        ],
        ["CancelWithdrawal", CANCEL, { ...by, nonce: 3n }, (s) => sent.cancelWithdrawalWithSig(payer, LATE, s)],
        [
          "RequestWithdrawal",
          REQUEST,
          { ...by, reserveWei: 2n, bondWei: 3n, nonce: 4n },
          (s) => sent.requestWithdrawalWithSig(payer, 2n, 3n, LATE, s),
        ],
        ["RevokeKey", REVOKE, { ...by, key: key.address, nonce: 5n }, (s) => sent.revokeKeyWithSig(payer, key.address, LATE, s)],
        [
          "CompleteWithdrawal",
          COMPLETE,
          { ...by, to: payee.address, nonce: 6n },
          (s) => sent.completeWithdrawalWithSig(payer, payee, LATE, s),
        ],
      ];
      for (const [name, fields, value, send] of steps) {
        if (name === "CompleteWithdrawal") {
          await world.redeem(key, 20n);
          await world.pass(DELAY_SECONDS);
        }
        const forged = await world.sign(world.thief, name, fields, value);
        await refused(send(forged), "InvalidSignature", world.thief.address, payer.address);
        for (const domain of [
          { ...world.domain, chainId: 1n },
          { ...world.domain, escrow: payee.address },
        ]) {
          await refused(send(await payer.signTypedData(escrowDomain(domain), typeOf(name, fields), value)), "InvalidSignature");
        }
        const signature = await world.sign(payer, name, fields, value);
        await send(signature);
        await refused(send(signature), "InvalidSignature");
      }
      expect(await escrow.nonceOf(payer)).to.equal(7n);
      expect(await world.token.balanceOf(payee)).to.equal(5n);

      const value = { account: payee.address, to: stranger.address, nonce: 0n, deadline: LATE };
      const signature = await world.sign(payee, "Withdraw", WITHDRAW, value);
      await refused(sent.withdrawWithSig(payee, world.thief, LATE, signature), "InvalidSignature");
      await sent.withdrawWithSig(payee, stranger, LATE, signature);
      await refused(sent.withdrawWithSig(payee, stranger, LATE, signature), "InvalidSignature");
      expect(await world.token.balanceOf(stranger)).to.equal(20n);
    });

    it("are worth nothing after their deadline", async () => {
      const past = (await networkHelpers.time.latest()) - 1;
      const { escrow, payer } = world;
      await refused(escrow.depositWithSig(payer, payer, 1, 1, past, "0x", NO_PERMIT), "AuthorizationExpired", past);
      await refused(escrow.authorizeKeyWithSig(payer, payer, 1, 1, LATE, past, "0x"), "AuthorizationExpired", past);
      await refused(escrow.revokeKeyWithSig(payer, payer, past, "0x"), "AuthorizationExpired", past);
      await refused(escrow.requestWithdrawalWithSig(payer, 1, 1, past, "0x"), "AuthorizationExpired", past);
      await refused(escrow.cancelWithdrawalWithSig(payer, past, "0x"), "AuthorizationExpired", past);
      await refused(escrow.completeWithdrawalWithSig(payer, payer, past, "0x"), "AuthorizationExpired", past);
      await refused(escrow.withdrawWithSig(payer, payer, past, "0x"), "AuthorizationExpired", past);
    });

    it("of smart accounts are asked of them (ERC-1271)", async () => {
      const smart = await ethers.deployContract("SmartAccount", [world.payer]);
      const payer = await smart.getAddress();
      const key = ethers.Wallet.createRandom();
      const expiry = (await networkHelpers.time.latest()) + KEY_SECONDS;
      const value = { payer, key: key.address, capPerPayeeWei: 50n, budgetWei: NO_BUDGET, expiry, nonce: 0n, deadline: LATE };
      const send = (signature: string) => world.escrow.authorizeKeyWithSig(payer, key.address, 50n, NO_BUDGET, expiry, LATE, signature);
      await refused(send(await authorizeKeyMessage.sign(world.domain, value, world.thief)), "InvalidSignature");
      await send(await authorizeKeyMessage.sign(world.domain, value, world.payer));
      await world.fund(100n, 0n, payer);
      await world.escrow.redeem(world.payee, await world.voucher(key, 40n, payer));
      expect(await credit()).to.equal(40n);
    });

    it("deposit another account's tokens by its permit", async () => {
      const { token } = world;
      await token.faucet(world.stranger);
      const from = world.stranger.address;
      const domain = { name: "PPIO test token", version: "1", chainId: world.domain.chainId, verifyingContract: await token.getAddress() };
      const grant = { owner: from, spender: world.domain.escrow, value: 7n, nonce: 0n, deadline: BigInt(LATE) };
      const types = typeOf("Permit", "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline");
      const { v, r, s } = ethers.Signature.from(await world.stranger.signTypedData(domain, types, grant));
      const permit = { value: 7n, deadline: grant.deadline, v, r, s };
      const value = { from, payer: world.payer.address, reserveWei: 4n, bondWei: 3n, nonce: 0n, deadline: LATE };
      const signature = await world.sign(world.stranger, "Deposit", DEPOSIT, value);
      const thieves = world.escrow.connect(world.thief);
      await refused(thieves.depositWithSig(from, world.thief, 4n, 3n, LATE, signature, permit), "InvalidSignature");
      await thieves.depositWithSig(from, world.payer, 4n, 3n, LATE, signature, permit);
      expect([(await account()).reserveWei, (await account()).bondWei]).to.deep.equal([4n, 3n]);
    });
  });

  it("E9: takes of the two signatures of a voucher only the one with the lower s", async () => {
    await world.fund(100n, 0n);
    const claim = (BigInt(world.payer.address) << 96n) | 9n;
    const { r } = await world.voucher(ethers.Wallet.createRandom(), 9n);
    const digest = await world.escrow.voucherDigest(world.payer, world.payee, 9n);
    const signer = async (s: bigint) => {
      const data = ethers.concat([digest, toBeHex(27, 32), r, toBeHex(s, 32)]);
      return ethers.getAddress(ethers.dataSlice(await ethers.provider.call({ to: toBeHex(1, 20), data }), 12));
    };
    // Any (r, s) is somebody's signature; ERC-2098 has room for a few that are above half the order.
    for (const [s, outcome] of [
      [S_ORDER / 2n, OUTCOME.Paid],
      [S_ORDER / 2n + 1n, OUTCOME.UnknownKey],
      [2n ** 255n - 1n, OUTCOME.UnknownKey],
    ] as const) {
      await asPayer().authorizeKey(await signer(s), 50n, 50n, (await networkHelpers.time.latest()) + KEY_SECONDS);
      expect((await world.preview([{ claim, r, vs: toBeHex(s, 32) }])).outcomes).to.deep.equal([outcome]);
    }
  });

  describe("Solidity and TypeScript agree", () => {
    it("on the digest of any voucher, its signer and its form on the chain", async () => {
      const key = ethers.Wallet.createRandom();
      const amount = fc.bigInt({ min: 0n, max: MAX96 });
      const address = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => ethers.getAddress(ethers.hexlify(bytes)));
      await fc.assert(
        fc.asyncProperty(address, address, amount, async (payer, payee, cumulativeWei) => {
          const value = { payer, payee, cumulativeWei };
          const digest = voucherMessage.digest(world.domain, value);
          expect(digest).to.equal(await world.escrow.voucherDigest(payer, payee, cumulativeWei));
          const signature = await voucherMessage.sign(world.domain, value, key);
          expect(voucherMessage.recover(world.domain, value, signature)).to.equal(key.address);
          const { claim, r, vs } = toRedeemable(value, signature);
          expect([ethers.getAddress(toBeHex(claim >> 96n, 20)), claim & MAX96]).to.deep.equal([payer, cumulativeWei]);
          expect(ethers.recoverAddress(digest, { r, yParityAndS: vs } as never)).to.equal(key.address);
        }),
        { numRuns: 25 },
      );
      expect(voucherMessage.recover(world.domain, { payer: key.address, payee: key.address, cumulativeWei: 1n }, "0x12")).to.equal(
        undefined,
      );
    });

    it("on the domain and on the types as their manual writes them", async () => {
      expect(TypedDataEncoder.hashDomain(escrowDomain(world.domain))).to.equal(await world.escrow.domainSeparator());
      expect(await world.escrow.token()).to.equal(await world.token.getAddress());
      expect(VOUCHER_TYPES).to.deep.equal(typeOf("Voucher", "address payer,address payee,uint96 cumulativeWei"));
      expect(AUTHORIZE_KEY_TYPES).to.deep.equal(typeOf("AuthorizeKey", AUTHORIZE));
      expect(REVOKE_KEY_TYPES).to.deep.equal(typeOf("RevokeKey", REVOKE));
      expect(DEPOSIT_TYPES).to.deep.equal(typeOf("Deposit", DEPOSIT));
      expect(REQUEST_WITHDRAWAL_TYPES).to.deep.equal(typeOf("RequestWithdrawal", REQUEST));
      expect(CANCEL_WITHDRAWAL_TYPES).to.deep.equal(typeOf("CancelWithdrawal", CANCEL));
      expect(COMPLETE_WITHDRAWAL_TYPES).to.deep.equal(typeOf("CompleteWithdrawal", COMPLETE));
    });
  });

  describe("hostile tokens", () => {
    it("that keep a fee are refused at the door", async () => {
      const token = await ethers.deployContract("FeeOnTransferToken", [100]);
      const hostile = await deployEscrowOver(token as unknown as PpioToken, world.signers);
      await token.mint(hostile.payer, 10_000n);
      await refused(hostile.escrow.connect(hostile.payer).deposit(hostile.payer, 900n, 100n), "UnsupportedToken", 990n, 1_000n);
    });

    it("that revert or block an account stop no redemption and no proof, and lose nobody's credit", async () => {
      const token = await ethers.deployContract("RevertingToken");
      const hostile = await deployEscrowOver(token as unknown as PpioToken, world.signers);
      await token.mint(hostile.payer, 10_000n);
      await hostile.fund(100n, 30n);
      const key = await hostile.addKey();
      for (const mode of [1, 2]) {
        await token.setMode(mode);
        await expect(hostile.fund(1n, 1n)).to.revert(ethers);
      }
      await hostile.redeem(key, 120n);
      await expect(hostile.escrow.connect(hostile.payee).withdraw(hostile.payee)).to.be.revertedWithCustomError(
        hostile.escrow,
        "SafeERC20FailedOperation",
      );
      await expect(hostile.escrow.burn(hostile.payer)).to.revert(ethers);
      await token.setMode(0);
      await token.setBlocked(hostile.payee, true);
      await expect(hostile.escrow.connect(hostile.payee).withdraw(hostile.payee)).to.be.revertedWithCustomError(token, "Refused");
      await hostile.escrow.connect(hostile.payee).withdraw(hostile.stranger);
      expect(await token.balanceOf(hostile.stranger)).to.equal(110n);
    });

    it("that reenter find the doors closed and the books done", async () => {
      const token = await ethers.deployContract("ReentrantToken");
      const hostile = await deployEscrowOver(token as unknown as PpioToken, world.signers);
      const { escrow } = hostile;
      const self = await token.getAddress();
      await token.mint(hostile.payer, 10_000n);
      await token.mint(self, 1_000n);
      await hostile.fund(100n, 30n);
      const call = (name: string, values: unknown[]) => escrow.interface.encodeFunctionData(name as "withdraw", values as never);
      await token.act(self, token.interface.encodeFunctionData("approve", [hostile.domain.escrow, 1_000n]));
      await token.act(escrow, call("deposit", [self, 50n, 50n]));
      await token.act(escrow, call("requestWithdrawal", [50n, 50n]));
      await hostile.pass(DELAY_SECONDS);
      const key = await hostile.addKey();
      await hostile.redeem(key, 40n, self);
      const guarded: [string, unknown[]][] = [
        ["deposit", [self, 5n, 5n]],
        ["withdraw", [self]],
        ["completeWithdrawal", [self]],
        ["burn", [self]],
      ];
      for (const isBefore of [true, false]) {
        for (const [name, values] of guarded) {
          await token.arm(escrow, call(name, values), isBefore);
          await hostile.fund(10n, 1n);
          expect([await token.hasCalled(), await token.succeeded()], name).to.deep.equal([true, false]);
          expect(await token.answer()).to.equal(escrow.interface.encodeErrorResult("ReentrancyGuardReentrantCall" as never, []));
        }
      }
      // Not guarded, and harmless: what is redeemed in the middle is in the books.
      await token.arm(
        escrow,
        call("redeem", [hostile.stranger.address, await hostile.voucher(key, 60n, hostile.payer.address, hostile.stranger.address)]),
        true,
      );
      await token.act(escrow, call("withdraw", [self]));
      expect(await token.succeeded()).to.equal(true);
      const { reserveWei, bondWei } = await escrow.accountOf(hostile.payer);
      const own = await escrow.accountOf(self);
      const credits = (await escrow.creditOf(self)) + (await escrow.creditOf(hostile.stranger));
      expect(await token.balanceOf(escrow)).to.equal(reserveWei + bondWei + own.reserveWei + own.bondWei + credits);
    });
  });

  it("keeps the storage that is written beside its structs", async () => {
    await world.fund(1_000n, 300n);
    const key = await world.addKey({ capPerPayeeWei: 500n });
    const limited = await world.addKey({ capPerPayeeWei: 40n, budgetWei: 90n });
    await asPayer().revokeKey((await world.addKey()).address);
    await world.redeem(key, 70n);
    await world.redeem(limited, 20n);
    await asPayer().requestWithdrawal(11n, 12n);
    const abi = AbiCoder.defaultAbiCoder();
    const at = (who: string, slot: bigint | string) => keccak256(abi.encode(["address", "uint256"], [who, slot]));
    const word = async (slot: bigint | string) => BigInt(await ethers.provider.getStorage(world.escrow, slot));
    // EIP712 keeps two fallback strings in front.
    const roots = await Promise.all([0n, 1n, 2n, 3n, 4n].map(async (slot) => ({ slot, found: await word(at(world.payer.address, slot)) })));
    const root = roots.find(({ found }) => found !== 0n)?.slot ?? -1n;
    const base = BigInt(at(world.payer.address, root));
    expect(await word(base)).to.equal((1n << 224n) | (300n << 96n) | 910n);
    expect(await word(base + 1n)).to.equal(((await account()).ripeAt << 192n) | (12n << 96n) | 11n);
    const keyed = BigInt(at(key.address, base + 3n));
    const { expiry } = await world.escrow.keyOf(world.payer, key.address);
    expect(await word(keyed)).to.equal((expiry << 192n) | (500n << 96n) | NO_BUDGET);
    const stream = BigInt(at(world.payee.address, keyed + 1n));
    expect(await word(stream)).to.equal((2n << 232n) | ((expiry + DELAY_SECONDS) << 192n) | (500n << 96n) | 70n);
    const bounded = BigInt(at(limited.address, base + 3n));
    expect((await word(bounded)) & MAX96).to.equal(70n);
    expect(await word(BigInt(at(world.payee.address, bounded + 1n)))).to.equal(20n);
  });

  describe("gas", () => {
    it("of a batch of 100 vouchers of 100 payers: at most 18,000 each, 36,000 when never redeemed before", async () => {
      const gas = await measureVoucherGas(world);
      expect(gas.warmEach).to.be.lessThanOrEqual(18_000);
      expect(gas.firstEach).to.be.lessThanOrEqual(36_000);
      expect(gas.afterRevocationEach).to.be.lessThanOrEqual(20_000);
      expect(gas.warmWithBudgetEach).to.be.lessThanOrEqual(23_000);
      expect(gas.firstWithBudgetEach).to.be.lessThanOrEqual(40_000);
    });

    it("of the largest batch, each voucher the dearest there is: below the 2^24 that EIP-7825 allows, and 30 million", async () => {
      const gas = await measureVoucherGas(world, Number(await world.escrow.VOUCHERS_PER_CALL_MAX()));
      expect(gas.overdrawnTransaction).to.be.lessThan(2 ** 24);
    });
  });
});
