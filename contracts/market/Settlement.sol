// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketMoney} from "./MarketMoney.sol";
import {MarketEnv, MarketState, PastWord, SlotWord, Tenure, Work} from "./MarketState.sol";
import {Tenures} from "./Tenures.sol";

/// @title How tenures are paid
/// @dev A linked library, because the market would be larger than a contract may be. It works on the market's own storage.
library Settlement {
    using MarketMoney for MarketState;
    using Tenures for MarketState;

    uint256 private constant GWEI = 1e9;
    uint256 private constant BPS = 10_000;
    /// Periods of one slot that one call settles: bounds the bitmap words it reads. Longer arrears take several calls.
    uint32 private constant SETTLE_PERIODS_MAX = 16_384;

    /// Settles what is final of the slots named, and moves on those whose tenure is over.
    function settle(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8[] calldata slotIndices) external {
        Work memory w = self.load(env, dealId);
        for (uint256 i; i < slotIndices.length; ++i) {
            uint8 slotIndex = slotIndices[i];
            if (slotIndex >= w.head.n) {
                revert IStorageMarket.WrongSlotStatus(
                    dealId, slotIndex, IStorageMarket.SlotStatus.None, IStorageMarket.SlotStatus.Filled
                );
            }
            SlotWord memory s = self.slots[dealId][slotIndex];
            if (_settleSlot(self, w, slotIndex, s)) self.slots[dealId][slotIndex] = s;
        }
        self.save(w);
    }

    /// Settles a tenure that ended before its deal.
    function settleTenure(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8 slotIndex, uint32 providerId)
        external
    {
        Work memory w = self.load(env, dealId);
        PastWord memory past = self.past[dealId][slotIndex][providerId];
        if (past.payGwei == 0 || past.isSettled) revert IStorageMarket.NoSuchTenure(dealId, slotIndex, providerId);
        Tenure memory t =
            Tenure(providerId, past.payGwei, past.collateralGwei, past.from, past.settledTo, past.until);
        (bool isOver, uint32 evicted) = _pay(self, w, slotIndex, t);
        if (isOver) {
            _leave(self, w, slotIndex, t, evicted < past.until ? evicted : 0);
            // Of an evicted one's last periods nobody served any.
            if (t.settledTo < past.until) {
                Tenures.refund(w, slotIndex, providerId, t.payGwei, t.settledTo, past.until);
                t.settledTo = past.until;
            }
            past.isSettled = true;
        }
        past.settledTo = uint24(t.settledTo);
        self.past[dealId][slotIndex][providerId] = past;
        self.save(w);
    }

    /// Settles what is final of a slot and moves it on when its tenure is over. @return changed whether `s` must be written
    function _settleSlot(MarketState storage self, Work memory w, uint8 slotIndex, SlotWord memory s)
        private
        returns (bool changed)
    {
        if (s.status == IStorageMarket.SlotStatus.Vacant || s.status == IStorageMarket.SlotStatus.Reserved) {
            if (w.current < w.head.end) return false;
            Tenures.closeVacant(w, slotIndex, s);
            return true;
        }
        if (!Tenures.isHeld(s.status)) return false;

        uint32 end = w.head.end;
        Tenure memory t = Tenure(s.providerId, s.payGwei, s.collateralGwei, s.from, s.settledTo, end);
        (bool isOver, uint32 evicted) = _pay(self, w, slotIndex, t);
        s.settledTo = uint24(t.settledTo);
        if (!isOver) return true;
        if (evicted != 0 && evicted < end) {
            _leave(self, w, slotIndex, t, evicted);
            self.vacate(w, slotIndex, s, t.until);
        } else if (s.status == IStorageMarket.SlotStatus.Filled) {
            // A slot with an open challenge is closed after it.
            _leave(self, w, slotIndex, t, 0);
            Tenures.close(w, s);
        }
        return true;
    }

    /// Pays the final periods of a tenure. @return isOver all of it is paid @return evicted of the provider, 0 for not
    function _pay(MarketState storage self, Work memory w, uint8 slotIndex, Tenure memory t)
        private
        returns (bool isOver, uint32 evicted)
    {
        address providerOwner;
        (providerOwner, evicted) = w.env.registry.standingOf(t.providerId);
        uint32 to;
        uint256 proven;
        if (evicted != 0) {
            // Nothing an evicted provider did can change any more.
            if (evicted < t.until) t.until = evicted < t.from ? t.from : evicted;
            to = t.until > t.settledTo + SETTLE_PERIODS_MAX ? t.settledTo + SETTLE_PERIODS_MAX : t.until;
            if (to > t.settledTo) proven = w.env.proofs.provenCount(t.providerId, t.settledTo, to);
        } else if (t.until > t.settledTo) {
            (to, proven) = w.env.proofs.settleable(t.providerId, t.settledTo, t.until, SETTLE_PERIODS_MAX);
        }
        if (to > t.settledTo) {
            uint256 payWei = uint256(t.payGwei) * GWEI;
            uint256 grossWei = proven * payWei;
            // Exact: pay is whole gwei, and BPS divides a gwei.
            uint256 feeWei = (grossWei * w.feeBps) / BPS;
            uint256 refundWei = uint256(to - t.settledTo) * payWei - grossWei;
            self.creditWei[providerOwner] += grossWei - feeWei;
            w.refundWei += refundWei;
            w.feeWei += feeWei;
            emit IStorageMarket.SlotSettled(
                w.dealId, slotIndex, t.providerId, t.settledTo, to, proven, grossWei - feeWei, feeWei, refundWei
            );
            t.settledTo = to;
        }
        isOver = t.settledTo >= t.until;
    }

    /// Takes a slot off its provider's line: collateral is released, the owner gets its part of slashes. `evicted` is 0 unless the
    /// eviction is what ended the tenure.
    function _leave(MarketState storage self, Work memory w, uint8 slotIndex, Tenure memory t, uint32 evicted) private {
        // The period of eviction was the slot's too: its slash is shared among those that were live in it.
        uint32 to = evicted != 0 && t.until == evicted ? evicted + 1 : t.until;
        (uint256 acc, uint256 ownerWeiPerGwei) = w.env.proofs.remove(t.providerId, t.payGwei, t.collateralGwei, t.from, to);
        // Most providers were never slashed, and nothing is looked up for them.
        if (acc == 0) return;
        acc -= self.accAtAppend[w.dealId][slotIndex][t.providerId];
        self.claim(w.dealId, slotIndex, w.owner, ownerWeiPerGwei * t.payGwei, acc * t.payGwei);
    }
}
