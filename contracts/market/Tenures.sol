// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IPenaltyPolicy} from "../interfaces/IPenaltyPolicy.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {FixedTerms} from "./FixedTerms.sol";
import {MarketMoney} from "./MarketMoney.sol";
import {DealHead, MarketEnv, MarketState, PastWord, SlotWord, Tenure, Work} from "./MarketState.sol";

/// @title The states of slots and deals, and how slots are lost
/// @dev Changes the words of a deal and a slot in memory; `save` writes the deal back, whoever calls the slot.
library Tenures {
    using MarketMoney for MarketState;

    uint256 private constant GWEI = 1e9;
    uint256 private constant BPS = 10_000;

    // ---- a call's work ----

    function load(MarketState storage self, MarketEnv memory env, bytes32 dealId) internal view returns (Work memory w) {
        w.env = env;
        w.dealId = dealId;
        w.head = existing(self, dealId);
        (w.owner, w.payer,,) = FixedTerms.read(w.head.terms);
        w.current = env.proofs.currentPeriod();
        w.feeBps = env.policy.protocolFeeBps();
    }

    /// Writes the deal back and books what the call owes. Silent: the events of settling and stopping have told it.
    function save(MarketState storage self, Work memory w) internal {
        self.heads[w.dealId] = w.head;
        if (w.refundWei != 0) self.creditWei[w.payer] += w.refundWei;
        if (w.feeWei != 0) self.repairFundWei += w.feeWei;
    }

    function existing(MarketState storage self, bytes32 dealId) internal view returns (DealHead memory head) {
        head = self.heads[dealId];
        if (head.status == IStorageMarket.DealStatus.None) {
            revert IStorageMarket.WrongDealStatus(dealId, head.status, IStorageMarket.DealStatus.Active);
        }
    }

    function requireActive(bytes32 dealId, DealHead memory head) internal pure {
        if (head.status != IStorageMarket.DealStatus.Active) {
            revert IStorageMarket.WrongDealStatus(dealId, head.status, IStorageMarket.DealStatus.Active);
        }
    }

    // ---- states ----

    /// Filled or Challenged -> Vacant, as of period `at`; a deal with too few slots left fails.
    function vacate(MarketState storage self, Work memory w, uint8 slotIndex, SlotWord memory s, uint32 at) internal {
        s.status = IStorageMarket.SlotStatus.Vacant;
        s.from = uint24(at);
        if (s.settledTo < s.from) s.settledTo = s.from;
        emit IStorageMarket.SlotVacated(w.dealId, slotIndex, s.providerId, at);
        w.head.vacantSlots += 1;
        if (w.current >= w.head.end) {
            closeVacant(w, slotIndex, s);
        } else if (w.head.status == IStorageMarket.DealStatus.Active && w.head.vacantSlots > w.head.n - w.head.k) {
            stop(self, w, IStorageMarket.DealStatus.Failed);
        }
    }

    /// {Vacant | Reserved} -> Closed at the deal's end: nobody served the rest, the payer gets it back.
    function closeVacant(Work memory w, uint8 slotIndex, SlotWord memory s) internal {
        refundVacant(w, slotIndex, s, w.head.end);
        w.head.vacantSlots -= 1;
        close(w, s);
    }

    /// Gives the payer back what is between the last settled period of a vacant slot and period `to`.
    function refundVacant(Work memory w, uint8 slotIndex, SlotWord memory s, uint32 to) internal {
        if (to <= s.settledTo) return;
        refund(w, slotIndex, s.providerId, s.payGwei, s.settledTo, to);
        s.settledTo = uint24(to);
    }

    /// Gives the payer [from, to) of a slot back.
    function refund(Work memory w, uint8 slotIndex, uint32 providerId, uint256 payGwei, uint32 from, uint32 to) internal {
        uint256 refundWei = uint256(to - from) * payGwei * GWEI;
        emit IStorageMarket.SlotSettled(w.dealId, slotIndex, providerId, from, to, 0, 0, 0, refundWei);
        w.refundWei += refundWei;
    }

    function close(Work memory w, SlotWord memory s) internal {
        s.status = IStorageMarket.SlotStatus.Closed;
        w.head.openSlots -= 1;
        if (w.head.openSlots == 0 && w.head.status == IStorageMarket.DealStatus.Active) {
            transition(w, IStorageMarket.DealStatus.Completed);
        }
    }

    /// Ends an active deal after the present period; what lies behind it goes back to the payer at once.
    function stop(MarketState storage self, Work memory w, IStorageMarket.DealStatus to) internal {
        requireActive(w.dealId, w.head);
        uint32 oldEnd = w.head.end;
        uint32 newEnd = w.current + 1;
        if (newEnd < oldEnd) {
            w.head.end = uint24(newEnd);
            uint256 refundWei = openPayGwei(self, w.dealId, w.head.n) * GWEI * (oldEnd - newEnd);
            w.refundWei += refundWei;
            // Told here, because no slot's settlement tells it.
            emit IStorageMarket.Credited(w.payer, refundWei);
        }
        transition(w, to);
    }

    function transition(Work memory w, IStorageMarket.DealStatus to) internal {
        emit IStorageMarket.DealStatusChanged(w.dealId, w.head.status, to);
        w.head.status = to;
    }

    // ---- losses ----

    /// Ends the holder's tenure as of period `until` and keeps it apart until its last periods are final.
    function endTenure(MarketState storage self, bytes32 dealId, uint8 slotIndex, SlotWord memory s, uint32 until) internal {
        self.past[dealId][slotIndex][s.providerId] = PastWord({
            startGwei: s.startGwei,
            payGwei: s.payGwei,
            collateralGwei: s.collateralGwei,
            from: s.from,
            settledTo: s.settledTo,
            until: uint24(until),
            isSettled: false
        });
    }

    /// Takes a share of the slot's collateral for a loss and vacates the slot as of period `at`.
    function forfeit(
        MarketState storage self,
        Work memory w,
        uint8 slotIndex,
        SlotWord memory s,
        uint32 at,
        uint16 bps,
        address finder
    ) internal {
        // A tenure that has not begun yet ends where it would have.
        if (at < s.from) at = s.from;
        endTenure(self, w.dealId, slotIndex, s, at);
        slash(self, w, slotIndex, s, bps, finder);
        vacate(self, w, slotIndex, s, at);
        self.slots[w.dealId][slotIndex] = s;
        save(self, w);
    }

    function slash(MarketState storage self, Work memory w, uint8 slotIndex, SlotWord memory s, uint16 bps, address finder)
        private
    {
        uint256 gwei_ = s.collateralGwei;
        (,, uint64 collateralGwei,) = w.env.registry.signerOf(s.providerId);
        uint256 lockedGwei = w.env.proofs.lockedGweiOf(s.providerId);
        // Earlier slashes have taken every slot's part alike.
        if (collateralGwei < lockedGwei) gwei_ = (gwei_ * collateralGwei) / lockedGwei;
        uint256 takenWei = w.env.registry.slash(s.providerId, ((gwei_ * bps) / BPS) * GWEI);
        (uint256 fundWei, uint256 finderWei, uint256 ownerWei) = w.env.policy.split(
            takenWei, finder == address(0) ? IPenaltyPolicy.Finder.None : IPenaltyPolicy.Finder.Challenger
        );
        emit IStorageMarket.SlotForfeited(w.dealId, slotIndex, s.providerId, bps, takenWei, fundWei, finderWei, ownerWei);
        self.increaseFund(fundWei);
        self.credit(finder, finderWei);
        self.credit(w.owner, ownerWei);
    }

    // ---- questions ----

    /// Σ pay of the slots that are not Closed.
    function openPayGwei(MarketState storage self, bytes32 dealId, uint8 n) internal view returns (uint256 payGwei) {
        for (uint8 i; i < n; ++i) {
            SlotWord storage s = self.slots[dealId][i];
            if (s.status != IStorageMarket.SlotStatus.Closed) payGwei += s.payGwei;
        }
    }

    /// Whether somebody holds the slot, as its word says.
    function isHeld(IStorageMarket.SlotStatus status) internal pure returns (bool) {
        return status == IStorageMarket.SlotStatus.Filled || status == IStorageMarket.SlotStatus.Challenged;
    }

    /// Whether the slot's own word, and not a past tenure, is what `providerId` has or had last. A slot that was closed while nobody
    /// held it still names who lost it, whose tenure is a past one.
    function isHolder(MarketState storage self, bytes32 dealId, uint8 slotIndex, uint32 providerId) internal view returns (bool) {
        SlotWord storage s = self.slots[dealId][slotIndex];
        if (s.providerId != providerId) return false;
        IStorageMarket.SlotStatus status = s.status;
        if (status == IStorageMarket.SlotStatus.Closed) return self.past[dealId][slotIndex][providerId].payGwei == 0;
        return isHeld(status);
    }

    function dealIdOf(address owner, bytes32 dealSalt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), owner, dealSalt));
    }
}
