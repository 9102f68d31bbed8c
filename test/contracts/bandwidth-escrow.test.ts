/** BandwidthEscrow: refusals first, then vouchers, overdrafts and ways out. Its edges have a file of their own. */
import { type RedeemableVoucher, toRedeemable, voucherMessage } from "@ppio/core";
import { expect } from "chai";
import { toBeHex, ZeroAddress, ZeroHash } from "ethers";
import { ethers, networkHelpers } from "../support/contracts/chain.ts";
import {
  DELAY_SECONDS,
  deployEscrow,
  type EscrowWorld,
  LATE,
  MAX96,
  OUTCOME,
  S_ORDER,
  type Signer,
  shorthandsOf,
  typeOf,
} from "../support/contracts/escrow.ts";

/** The other signature of the same message: s mirrored, parity turned. */
function mirrored(voucher: RedeemableVoucher): RedeemableVoucher {
  const vs = BigInt(voucher.vs);
  const s = S_ORDER - (vs & (2n ** 255n - 1n));
  return { ...voucher, vs: toBeHex((((vs >> 255n) ^ 1n) << 255n) | s, 32) };
}

describe("BandwidthEscrow", function () {
  this.timeout(60_000);
  let world: EscrowWorld;
  const { refused, asPayer, account, credit } = shorthandsOf(() => world);
  beforeEach(async () => {
    world = await networkHelpers.loadFixture(deployEscrow);
  });

  describe("refuses", () => {
    it("to be built without a token or with a delay out of bounds", async () => {
      const factory = await ethers.getContractFactory("BandwidthEscrow");
      await refused(factory.deploy(ZeroAddress, 1_000), "InvalidAddress", "token");
      for (const delay of [59, 30 * 86_400 + 1]) await refused(factory.deploy(world.token, delay), "InvalidDelay", delay, 60, 2_592_000);
    });

    it("deposits for nobody, of nothing, beyond 96 bits, without an allowance", async () => {
      await refused(asPayer().deposit(ZeroAddress, 1, 0), "InvalidAddress", "payer");
      await refused(asPayer().deposit(world.payer, 0, 0), "ZeroAmount");
      await world.fund(1n, 1n);
      await refused(asPayer().deposit(world.payer, MAX96, 0), "AmountTooLarge", MAX96 + 1n, MAX96);
      await refused(asPayer().deposit(world.payer, 0, MAX96), "AmountTooLarge", MAX96 + 1n, MAX96);
      const { token } = world;
      await expect(world.escrow.connect(world.thief).deposit(world.thief, 1, 0)).to.be.revertedWithCustomError(
        token,
        "ERC20InsufficientAllowance",
      );
    });

    it("keys that are nobody's, worth nothing, over, too long, or known", async () => {
      const now = await networkHelpers.time.latest();
      const key = world.stranger.address;
      await refused(asPayer().authorizeKey(ZeroAddress, 1, 1, now + 5_000), "InvalidAddress", "key");
      await refused(asPayer().authorizeKey(key, 0, 1, now + 5_000), "ZeroAmount");
      await refused(asPayer().authorizeKey(key, 1, 0, now + 5_000), "ZeroAmount");
      await refused(asPayer().authorizeKey(key, 1, 1, now), "InvalidExpiry");
      await refused(asPayer().authorizeKey(key, 1, 1, now + 367 * 86_400), "InvalidExpiry");
      await asPayer().authorizeKey(key, 1, 1, now + 5_000);
      await refused(asPayer().authorizeKey(key, 9, 9, now + 9_000), "KeyExists", world.payer.address, key);
    });

    it("to revoke what is not live: unknown, revoked, expired; E8: and none of them comes back", async () => {
      const key = await world.addKey();
      await refused(asPayer().revokeKey(world.thief), "KeyNotLive", world.payer.address, world.thief.address, 0);
      await refused(world.escrow.connect(world.thief).revokeKey(key.address), "KeyNotLive");
      await asPayer().revokeKey(key.address);
      await refused(asPayer().revokeKey(key.address), "KeyNotLive");
      const short = await world.addKey({ expiry: (await networkHelpers.time.latest()) + 1_000 });
      await world.pass(1_000);
      await refused(asPayer().revokeKey(short.address), "KeyNotLive");
      await world.pass(10n * DELAY_SECONDS);
      for (const old of [key, short]) {
        await refused(asPayer().authorizeKey(old.address, 1, 1, (await networkHelpers.time.latest()) + 5_000), "KeyExists");
      }
    });

    it("withdrawals of nothing, of more than there is, unasked, unripe, lapsed, twice, to nobody", async () => {
      await world.fund(100n, 50n);
      await refused(asPayer().requestWithdrawal(0, 0), "ZeroAmount");
      await refused(asPayer().requestWithdrawal(101, 0), "RequestTooLarge", 101, 100);
      await refused(asPayer().requestWithdrawal(0, 51), "RequestTooLarge", 51, 50);
      await refused(asPayer().cancelWithdrawal(), "NoWithdrawal", world.payer.address);
      await refused(asPayer().completeWithdrawal(world.payer), "NoWithdrawal", world.payer.address);
      await asPayer().requestWithdrawal(60, 50);
      const ripeAt = (await account()).ripeAt;
      await networkHelpers.time.setNextBlockTimestamp(ripeAt - 1n);
      await refused(asPayer().completeWithdrawal(world.payer), "WithdrawalNotRipe", ripeAt, ripeAt - 1n);
      await refused(asPayer().completeWithdrawal(ZeroAddress), "InvalidAddress", "to");
      await networkHelpers.time.setNextBlockTimestamp(ripeAt + DELAY_SECONDS + 1n);
      await refused(asPayer().completeWithdrawal(world.payer), "WithdrawalLapsed", ripeAt + DELAY_SECONDS, ripeAt + DELAY_SECONDS + 1n);
      await asPayer().requestWithdrawal(60, 50);
      await world.pass(DELAY_SECONDS);
      await asPayer().completeWithdrawal(world.payer);
      await refused(asPayer().completeWithdrawal(world.payer), "NoWithdrawal", world.payer.address);
    });

    it("to pay credit that is not there or to nobody, and to burn nothing", async () => {
      await refused(world.escrow.connect(world.payee).withdraw(world.payee), "NothingToWithdraw", world.payee.address);
      await refused(world.escrow.connect(world.payee).withdraw(ZeroAddress), "InvalidAddress", "to");
      await refused(world.escrow.burn(world.payer), "NothingToBurn");
    });

    it("vouchers to nobody, and batches that are empty or too long", async () => {
      const voucher = { claim: 0n, r: ZeroHash, vs: ZeroHash };
      await refused(world.escrow.redeem(ZeroAddress, voucher), "InvalidAddress", "payee");
      await refused(world.escrow.redeemBatch(ZeroAddress, [voucher]), "InvalidAddress", "payee");
      await refused(world.escrow.redeemBatch(world.payee, []), "InvalidBatchLength", 0, 200);
      await refused(world.escrow.redeemBatch(world.payee, Array(201).fill(voucher)), "InvalidBatchLength", 201, 200);
    });
  });

  describe("vouchers", () => {
    let key: Signer;
    beforeEach(async () => {
      await world.fund(1_000n, 300n);
      key = await world.addKey({ capPerPayeeWei: 500n });
    });

    it("E2, E4: pay what is new of the cumulative amount, whoever sends them, and nothing twice", async () => {
      const voucher = await world.voucher(key, 70n);
      await expect(world.escrow.connect(world.stranger).redeem(world.payee, voucher))
        .to.emit(world.escrow, "VouchersRedeemed")
        .withArgs(world.payee.address, 70n, toBeHex(voucher.claim, 32));
      await expect(world.escrow.redeem(world.payee, voucher))
        .to.emit(world.escrow, "VoucherRefused")
        .withArgs(world.payee.address, world.payer.address, key.address, 70n, OUTCOME.NothingNew);
      await world.redeem(key, 100n);
      expect(await credit()).to.equal(100n);
      expect((await account()).reserveWei).to.equal(900n);
      await world.redeem(key, 60n);
      expect([await credit(), await world.escrow.redeemedOf(world.payer, world.payee, key.address)]).to.deep.equal([100n, 100n]);
    });

    it("E2: pay up to the cap per payee, each payee for itself", async () => {
      await world.redeem(key, 900n);
      expect(await credit()).to.equal(500n);
      expect((await world.preview([await world.voucher(key, 950n)])).outcomes).to.deep.equal([OUTCOME.AtCap]);
      expect((await world.preview([await world.voucher(key, 500n)])).outcomes).to.deep.equal([OUTCOME.NothingNew]);
      await world.redeem(key, 500n, world.stranger.address);
      expect(await credit(world.stranger)).to.equal(500n);
      expect((await account()).overdrafts).to.equal(0n);
    });

    it("run per (payer, payee, session key)", async () => {
      const second = await world.addKey();
      await world.redeem(key, 10n);
      await world.redeem(second, 20n);
      await world.redeem(key, 40n, world.stranger.address);
      expect([await credit(), await credit(world.stranger)]).to.deep.equal([30n, 40n]);
    });

    it("E10: do in a batch what they do one by one; bad ones are reported and stop no other", async () => {
      const ended = await world.addKey();
      await asPayer().revokeKey(ended.address);
      await world.pass(DELAY_SECONDS + 1n);
      const good = await world.voucher(key, 50n);
      const vouchers = [
        await world.voucher(ethers.Wallet.createRandom(), 50n),
        good,
        { ...good, r: ZeroHash },
        { claim: 0n, r: ZeroHash, vs: ZeroHash },
        mirrored(good),
        await world.voucher(key, 40n),
        await world.voucher(ended, 9n),
        await world.voucher(key, 80n),
        await world.voucher(key, 2_000n),
        await world.voucher(key, 2_001n),
      ];
      const { creditedWei, outcomes } = await world.preview(vouchers);
      const { UnknownKey, Paid, NothingNew, KeyEnded, AtCap } = OUTCOME;
      expect(outcomes).to.deep.equal([UnknownKey, Paid, UnknownKey, UnknownKey, UnknownKey, NothingNew, KeyEnded, Paid, Paid, AtCap]);
      expect(creditedWei).to.equal(500n);
      const before = await networkHelpers.takeSnapshot();
      for (const voucher of vouchers) await world.escrow.redeem(world.payee, voucher);
      const singly = [await credit(), (await account()).reserveWei, await world.escrow.redeemedOf(world.payer, world.payee, key.address)];
      await before.restore();
      await world.escrow.redeemBatch(world.payee, vouchers);
      expect([
        await credit(),
        (await account()).reserveWei,
        await world.escrow.redeemedOf(world.payer, world.payee, key.address),
      ]).to.deep.equal(singly);
    });

    it("E9: are for one payee, payer, chain and contract, and have one signature", async () => {
      const good = await world.voucher(key, 50n);
      expect((await world.preview([good])).outcomes).to.deep.equal([OUTCOME.Paid]);
      const value = { payer: world.payer.address, payee: world.payee.address, cumulativeWei: 50n };
      const foreign = [
        { ...world.domain, chainId: world.domain.chainId + 1n },
        { ...world.domain, escrow: world.thief.address },
      ];
      const bad = await Promise.all(foreign.map(async (domain) => toRedeemable(value, await voucherMessage.sign(domain, value, key))));
      bad.push(mirrored(good), { ...good, claim: good.claim + 1n });
      bad.push({ ...good, claim: (BigInt(world.thief.address) << 96n) | 50n });
      expect((await world.preview(bad)).outcomes).to.deep.equal(bad.map(() => OUTCOME.UnknownKey));
      expect((await world.preview([good], world.thief.address)).outcomes).to.deep.equal([OUTCOME.UnknownKey]);
    });

    it("E8: of a revoked or expired key are paid for the delay and no longer, remembered or not", async () => {
      const fresh = await world.addKey();
      const short = await world.addKey({ expiry: (await networkHelpers.time.latest()) + 500 });
      await world.redeem(key, 10n);
      await world.redeem(short, 10n);
      await asPayer().revokeKey(key.address);
      await asPayer().revokeKey(fresh.address);
      const { redeemableUntil } = await world.escrow.keyOf(world.payer, key.address);
      await networkHelpers.time.setNextBlockTimestamp(redeemableUntil);
      await world.redeem(key, 20n);
      expect(await credit()).to.equal(30n);
      const vouchers = await Promise.all([key, fresh, short].map((by) => world.voucher(by, 40n)));
      await networkHelpers.mine(10, { interval: 200 });
      expect((await world.preview(vouchers)).outcomes).to.deep.equal(vouchers.map(() => OUTCOME.KeyEnded));
    });

    it("E3: take a key's budget down to the wei, over all payees", async () => {
      const limited = await world.addKey({ budgetWei: 100n });
      await world.redeem(limited, 60n);
      await world.redeem(limited, 30n, world.stranger.address);
      await world.redeem(limited, 70n);
      expect((await world.escrow.keyOf(world.payer, limited.address)).budgetLeftWei).to.equal(0n);
      expect((await account()).overdrafts).to.equal(0n);
      expect((await account()).reserveWei).to.equal(900n);
    });

    it("promise what a payee may count on", async () => {
      const limited = await world.addKey({ capPerPayeeWei: 90n, budgetWei: 100n });
      await world.redeem(limited, 30n);
      await asPayer().requestWithdrawal(950n, 100n);
      const promise = await world.escrow.promiseOf(world.payer, world.payee, limited.address);
      expect([promise.payableWei, promise.capLeftWei, promise.redeemedWei, promise.bondWei]).to.deep.equal([20n, 60n, 30n, 200n]);
      await asPayer().revokeKey(limited.address);
      expect((await world.escrow.promiseOf(world.payer, world.payee, limited.address)).capLeftWei).to.equal(0n);
    });
  });

  describe("overdraft", () => {
    let key: Signer;
    beforeEach(async () => {
      await world.fund(100n, 301n);
      key = await world.addKey();
    });

    it("E6: takes the whole bond; a third heals those who are short, first come first served; the rest is burnt", async () => {
      await expect(world.escrow.redeem(world.payee, await world.voucher(key, 140n)))
        .to.emit(world.escrow, "Overdrawn")
        .withArgs(world.payer.address, world.payee.address, key.address, 40n, 40n, 301n);
      expect(await credit()).to.equal(140n);
      let now = await account();
      expect([now.reserveWei, now.bondWei, now.restitutionWei, now.overdrafts]).to.deep.equal([0n, 0n, 60n, 1n]);
      expect(await world.escrow.burnableWei()).to.equal(201n);
      await world.redeem(key, 75n, world.stranger.address);
      expect(await credit(world.stranger)).to.equal(60n);
      now = await account();
      expect([now.restitutionWei, now.overdrafts]).to.deep.equal([0n, 2n]);
      expect((await world.preview([await world.voucher(key, 141n)])).outcomes).to.deep.equal([OUTCOME.Overdrawn]);
    });

    it("leaves the rest of the voucher owed, and a later deposit pays it", async () => {
      await world.redeem(key, 300n);
      expect(await credit()).to.equal(200n);
      await world.fund(500n, 0n);
      await world.redeem(key, 300n);
      expect([await credit(), (await account()).reserveWei]).to.deep.equal([300n, 400n]);
    });

    it("of a key's budget counts too, whatever the reserve holds", async () => {
      const limited = await world.addKey({ budgetWei: 30n });
      await world.redeem(limited, 50n);
      expect([await credit(), (await account()).reserveWei, (await account()).bondWei]).to.deep.equal([50n, 70n, 0n]);
      expect((await world.escrow.keyOf(world.payer, limited.address)).budgetLeftWei).to.equal(0n);
    });

    it("gives restitution for the delay and burns what is left, out of reach of everybody", async () => {
      await world.redeem(key, 101n);
      const { restitutionUntil } = await account();
      await networkHelpers.time.setNextBlockTimestamp(restitutionUntil);
      await world.redeem(key, 103n);
      expect(await credit()).to.equal(103n);
      await expect(world.escrow.burn(world.payer)).to.emit(world.escrow, "RestitutionLapsed").withArgs(world.payer.address, 97n);
      expect(await world.token.balanceOf(await world.escrow.BURN_ADDRESS())).to.equal(298n);
      await world.redeem(key, 105n);
      expect(await credit()).to.equal(103n);
      await refused(world.escrow.burn(world.payer), "NothingToBurn");
    });

    it("takes a bond posted later too, and lapsed restitution does not come back with it", async () => {
      await world.redeem(key, 101n);
      await world.pass(DELAY_SECONDS + 1n);
      await world.fund(0n, 30n);
      await world.redeem(key, 105n);
      const now = await account();
      expect([await credit(), now.bondWei, now.restitutionWei]).to.deep.equal([105n, 0n, 6n]);
      expect(await world.escrow.burnableWei()).to.equal(201n + 99n + 20n);
    });

    it("E6: burns two wei for each that a payer rescues through a payee of its own", async () => {
      await world.redeem(key, 10n ** 20n, world.stranger.address);
      const rescued = (await credit(world.stranger)) - 100n;
      expect(rescued).to.equal(100n);
      expect(await world.escrow.burnableWei()).to.be.greaterThanOrEqual(2n * rescued);
    });

    it("E5, E7: is answered by a bond that is on its way out, but not by one that is gone", async () => {
      await asPayer().requestWithdrawal(100, 301);
      await world.pass(DELAY_SECONDS - 100n);
      await world.redeem(key, 150n);
      expect(await credit()).to.equal(150n);
      await world.pass(100);
      await expect(asPayer().completeWithdrawal(world.payer))
        .to.emit(world.escrow, "WithdrawalCompleted")
        .withArgs(world.payer.address, world.payer.address, 0n, 0n);
    });

    it("E5: cannot be brought about by a stranger's or a thief's voucher", async () => {
      const vouchers = [await world.voucher(world.thief, 10n ** 20n), await world.voucher(ethers.Wallet.createRandom(), 10n ** 20n)];
      await world.escrow.connect(world.thief).redeemBatch(world.payee, vouchers);
      expect([(await account()).bondWei, (await account()).overdrafts]).to.deep.equal([301n, 0n]);
    });
  });

  describe("ways out", () => {
    it("E7: a payer leaves with what vouchers have left, after the delay", async () => {
      await world.fund(100n, 50n);
      const key = await world.addKey();
      await asPayer().requestWithdrawal(100, 50);
      await world.redeem(key, 30n);
      await world.pass(DELAY_SECONDS);
      const before = await world.token.balanceOf(world.stranger);
      await asPayer().completeWithdrawal(world.stranger);
      expect((await world.token.balanceOf(world.stranger)) - before).to.equal(120n);
      expect(await world.token.balanceOf(world.escrow)).to.equal(30n);
    });

    it("E7: asking again starts the delay anew for both parts; cancelling ends it", async () => {
      await world.fund(100n, 50n);
      await asPayer().requestWithdrawal(100, 50);
      await world.pass(DELAY_SECONDS - 100n);
      await asPayer().requestWithdrawal(10, 0);
      await world.pass(DELAY_SECONDS - 100n);
      await refused(asPayer().completeWithdrawal(world.payer), "WithdrawalNotRipe");
      await world.pass(100);
      await expect(asPayer().completeWithdrawal(world.payer))
        .to.emit(world.escrow, "WithdrawalCompleted")
        .withArgs(world.payer.address, world.payer.address, 10n, 0n);
      await asPayer().requestWithdrawal(10, 0);
      await asPayer().cancelWithdrawal();
      await world.pass(DELAY_SECONDS);
      await refused(asPayer().completeWithdrawal(world.payer), "NoWithdrawal");
    });

    it("E11: a payee draws its credit at once, to where it likes", async () => {
      await world.fund(100n, 0n);
      await world.redeem(await world.addKey(), 30n);
      await expect(world.escrow.connect(world.payee).withdraw(world.stranger)).to.changeTokenBalance(
        ethers,
        world.token,
        world.stranger,
        30n,
      );
      expect(await credit()).to.equal(0n);
    });

    it("anyone may pay in for a payer, by permit too, used up or not", async () => {
      const { token } = world;
      await token.faucet(world.stranger);
      const deadline = BigInt(LATE);
      const domain = { name: "PPIO test token", version: "1", chainId: world.domain.chainId, verifyingContract: await token.getAddress() };
      const value = { owner: world.stranger.address, spender: world.domain.escrow, value: 7n, nonce: 0n, deadline };
      const types = typeOf("Permit", "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline");
      const { v, r, s } = ethers.Signature.from(await world.stranger.signTypedData(domain, types, value));
      await token.permit(world.stranger, world.escrow, 7n, deadline, v, r, s);
      await world.escrow.connect(world.stranger).depositWithPermit(world.payer, 5n, 2n, { value: 7n, deadline, v, r, s });
      expect([(await account()).reserveWei, (await account()).bondWei]).to.deep.equal([5n, 2n]);
    });
  });
});
