// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketTypes} from "../libraries/MarketTypes.sol";
import {Filling} from "./Filling.sol";
import {FixedTerms} from "./FixedTerms.sol";
import {MarketMoney} from "./MarketMoney.sol";
import {DealHead, FillJob, MarketEnv, MarketState, PastWord, SlotWord, Work} from "./MarketState.sol";
import {Tenures} from "./Tenures.sol";

/// @title How a slot leaves its holder and gets another one
/// @dev A linked library, because the market would be larger than a contract may be. It works on the market's own storage; who may call
/// what, but for owners and providers, is checked in StorageMarket. Slots that are given away were settled before.
library SlotTransfers {
    using MarketMoney for MarketState;
    using Tenures for MarketState;

    uint256 private constant GWEI = 1e9;
    uint16 private constant ALL_BPS = 10_000;

    // ---- by the holder ----

    function declareLost(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8 slotIndex) external {
        Work memory w = self.load(env, dealId);
        SlotWord memory s = _heldByCaller(self, w, slotIndex);
        (uint16 declared, uint16 caught) = env.policy.lossBps();
        bool isAsked = s.status == IStorageMarket.SlotStatus.Challenged;
        self.forfeit(w, slotIndex, s, w.current, isAsked ? caught : declared, address(0));
    }

    function handOver(
        MarketState storage self,
        MarketEnv memory env,
        bytes32 dealId,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms
    ) external {
        Work memory w = self.load(env, dealId);
        SlotWord memory s = _heldByCaller(self, w, slotIndex);
        _requireStatus(dealId, slotIndex, s, IStorageMarket.SlotStatus.Filled);
        _requireCollateral(s, offer);
        uint32 from = w.current + 1;
        self.endTenure(dealId, slotIndex, s, from);
        emit IStorageMarket.SlotHandedOver(dealId, slotIndex, s.providerId, offer.providerId);
        _refill(self, w, slotIndex, s, offer, terms, from);
    }

    // ---- by others ----

    function refill(
        MarketState storage self,
        MarketEnv memory env,
        bytes32 dealId,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms
    ) external {
        Work memory w = self.load(env, dealId);
        // The owner goes before a repairer; what is left of that one's bond is returned.
        IStorageMarket.SlotStatus status = self.slots[dealId][slotIndex].status;
        bool isReserved = status == IStorageMarket.SlotStatus.Reserved;
        _refillVacant(
            self, w, slotIndex, offer, terms, isReserved ? status : IStorageMarket.SlotStatus.Vacant
        );
    }

    function reserve(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8 slotIndex)
        external
        returns (uint64 collateralGwei)
    {
        DealHead memory head = self.existing(dealId);
        Tenures.requireActive(dealId, head);
        SlotWord memory s = self.slots[dealId][slotIndex];
        _requireStatus(dealId, slotIndex, s, IStorageMarket.SlotStatus.Vacant);
        uint32 current = env.proofs.currentPeriod();
        if (current + 1 >= head.end) revert IStorageMarket.TooLate(current, head.end - 2);
        _setStatus(self, dealId, slotIndex, s, IStorageMarket.SlotStatus.Reserved);
        return s.collateralGwei;
    }

    function unreserve(MarketState storage self, bytes32 dealId, uint8 slotIndex) external {
        SlotWord memory s = self.slots[dealId][slotIndex];
        if (s.status != IStorageMarket.SlotStatus.Reserved) return;
        _setStatus(self, dealId, slotIndex, s, IStorageMarket.SlotStatus.Vacant);
    }

    function refillReserved(
        MarketState storage self,
        MarketEnv memory env,
        bytes32 dealId,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms,
        address repairer
    ) external returns (uint256 premiumWei) {
        Work memory w = self.load(env, dealId);
        SlotWord memory s = self.slots[dealId][slotIndex];
        _requireCollateral(s, offer);
        // A tenure lost before it began left the slot vacant from a period that has not come yet.
        uint32 vacantPeriods = w.current > s.from ? w.current - s.from : 0;
        premiumWei = env.policy.premium(s.collateralGwei * GWEI, vacantPeriods);
        _refillVacant(self, w, slotIndex, offer, terms, IStorageMarket.SlotStatus.Reserved);
        premiumWei = self.spendFund(repairer, premiumWei);
        self.credit(repairer, premiumWei);
    }

    function _refillVacant(
        MarketState storage self,
        Work memory w,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms,
        IStorageMarket.SlotStatus expected
    ) private {
        Tenures.requireActive(w.dealId, w.head);
        SlotWord memory s = self.slots[w.dealId][slotIndex];
        _requireStatus(w.dealId, slotIndex, s, expected);
        uint32 from = w.current + 1;
        if (from < w.head.end) Tenures.refundVacant(w, slotIndex, s, from);
        w.head.vacantSlots -= 1;
        _refill(self, w, slotIndex, s, offer, terms, from);
        self.save(w);
    }

    /// Gives a slot to another provider from period `from` on; `s` is its word before.
    function _refill(
        MarketState storage self,
        Work memory w,
        uint8 slotIndex,
        SlotWord memory s,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms,
        uint32 from
    ) private {
        DealHead memory head = w.head;
        if (Tenures.dealIdOf(w.owner, terms.dealSalt) != w.dealId) revert IStorageMarket.InvalidTerms("dealSalt");
        if (from > terms.startBy) revert IStorageMarket.TooLate(from, terms.startBy);
        if (from >= head.end) revert IStorageMarket.InvalidTerms("the deal ends before the new tenure could start");
        // Those of the opening end later, or began before now: none of them can be used once more.
        if (uint256(terms.startBy) + terms.periods != head.end) {
            revert IStorageMarket.InvalidTerms("the offer does not end with the deal");
        }
        _requireSameSlot(self, w, slotIndex, s, offer);
        (,, uint32 renewUntil, bytes16 header) = FixedTerms.read(head.terms);
        bytes memory message = MarketTypes.offerMessage(
            w.owner, w.payer, terms.dealSalt, head.k, head.n, header, terms.startBy, terms.periods, renewUntil
        );
        Filling.fill(self, FillJob(w.env, w.dealId, message, from, w.current, true), slotIndex, offer);
    }

    /// The same commitment and pay, and a provider that has none of the deal's slots.
    function _requireSameSlot(
        MarketState storage self,
        Work memory w,
        uint8 slotIndex,
        SlotWord memory s,
        IStorageMarket.SlotOffer calldata offer
    ) private {
        bytes32 dealId = w.dealId;
        bytes32 root = FixedTerms.root(w.head.terms, slotIndex);
        if (offer.root != root || offer.leafCount != s.leafCount) revert IStorageMarket.WrongCommitment(offer.root, root);
        uint256 payWei = uint256(s.payGwei) * GWEI;
        if (offer.payPerPeriodWei != payWei) revert IStorageMarket.WrongPay(offer.payPerPeriodWei, payWei);
        uint32 providerId = offer.providerId;
        for (uint8 i; i < w.head.n; ++i) {
            SlotWord storage other = self.slots[dealId][i];
            if (other.providerId == providerId && Tenures.isHeld(other.status)) {
                revert IStorageMarket.DuplicateProvider(slotIndex, providerId);
            }
        }
        // Two intervals of one provider for one slot could not be told apart; the old one must be settled and compacted away.
        PastWord memory past = self.past[dealId][slotIndex][providerId];
        if (past.payGwei == 0) return;
        if (!past.isSettled || past.startGwei != w.env.proofs.OFF_LINE_GWEI()) {
            revert IStorageMarket.HeldBefore(dealId, slotIndex, providerId);
        }
        delete self.past[dealId][slotIndex][providerId];
        delete self.accAtAppend[dealId][slotIndex][providerId];
    }

    /// Without the owner's consent nobody may put less at risk than the holder before.
    function _requireCollateral(SlotWord memory s, IStorageMarket.SlotOffer calldata offer) private pure {
        uint256 neededWei = s.collateralGwei * GWEI;
        if (offer.collateralWei < neededWei) revert IStorageMarket.CollateralTooSmall(offer.collateralWei, neededWei);
    }

    // ---- by proofs and challenges ----

    function moveInterval(MarketState storage self, bytes32 dealId, uint8 slotIndex, uint32 providerId, uint64 startGwei) external {
        // Never above the old start or OFF_LINE_GWEI, which both fit.
        SlotWord storage s = self.slots[dealId][slotIndex];
        if (Tenures.isHolder(s.providerId, s.status, providerId)) s.startGwei = uint48(startGwei);
        else self.past[dealId][slotIndex][providerId].startGwei = uint48(startGwei);
    }

    function forfeitSampled(
        MarketState storage self,
        MarketEnv memory env,
        bytes32 dealId,
        uint8 slotIndex,
        uint32 providerId,
        uint32 period
    ) external {
        SlotWord memory s = self.slots[dealId][slotIndex];
        // A tenure that ended since then has no slot to give up: its period stays unproven.
        if (!Tenures.isHeld(s.status) || s.providerId != providerId) {
            revert IStorageMarket.WrongSlotStatus(dealId, slotIndex, s.status, IStorageMarket.SlotStatus.Filled);
        }
        (, uint16 caught) = env.policy.lossBps();
        self.forfeit(self.load(env, dealId), slotIndex, s, period, caught, address(0));
    }

    function startChallenge(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8 slotIndex)
        external
        returns (uint32 providerId, address owner)
    {
        DealHead memory head = self.existing(dealId);
        SlotWord memory s = self.slots[dealId][slotIndex];
        _requireStatus(dealId, slotIndex, s, IStorageMarket.SlotStatus.Filled);
        providerId = s.providerId;
        if (env.registry.evictedAtPeriod(providerId) != 0) revert IStorageMarket.ProviderIsEvicted(providerId);
        uint32 current = env.proofs.currentPeriod();
        if (current >= head.end) revert IStorageMarket.TooLate(current, head.end - 1);
        _setStatus(self, dealId, slotIndex, s, IStorageMarket.SlotStatus.Challenged);
        (owner,,,) = FixedTerms.read(head.terms);
    }

    function endChallenge(MarketState storage self, MarketEnv memory env, bytes32 dealId, uint8 slotIndex, address finder) external {
        SlotWord memory s = self.slots[dealId][slotIndex];
        if (s.status != IStorageMarket.SlotStatus.Challenged) return;
        if (finder == address(0)) {
            _setStatus(self, dealId, slotIndex, s, IStorageMarket.SlotStatus.Filled);
            return;
        }
        Work memory w = self.load(env, dealId);
        uint32 at = w.current < w.head.end ? w.current : w.head.end;
        self.forfeit(w, slotIndex, s, at, ALL_BPS, finder);
    }

    // ---- inside ----

    function _heldByCaller(MarketState storage self, Work memory w, uint8 slotIndex) private view returns (SlotWord memory s) {
        s = self.slots[w.dealId][slotIndex];
        if (!Tenures.isHeld(s.status)) {
            revert IStorageMarket.WrongSlotStatus(w.dealId, slotIndex, s.status, IStorageMarket.SlotStatus.Filled);
        }
        (address operator,,,) = w.env.registry.signerOf(s.providerId);
        (address owner, uint32 evicted) = w.env.registry.standingOf(s.providerId);
        if (msg.sender != operator && msg.sender != owner) revert IStorageMarket.NotAuthorized(msg.sender);
        if (evicted != 0) revert IStorageMarket.ProviderIsEvicted(s.providerId);
        if (w.current >= w.head.end) revert IStorageMarket.TooLate(w.current, w.head.end - 1);
    }

    function _requireStatus(bytes32 dealId, uint8 slotIndex, SlotWord memory s, IStorageMarket.SlotStatus expected) private pure {
        if (s.status != expected) revert IStorageMarket.WrongSlotStatus(dealId, slotIndex, s.status, expected);
    }

    function _setStatus(
        MarketState storage self,
        bytes32 dealId,
        uint8 slotIndex,
        SlotWord memory s,
        IStorageMarket.SlotStatus to
    ) private {
        emit IStorageMarket.SlotStatusChanged(dealId, slotIndex, s.status, to);
        self.slots[dealId][slotIndex].status = to;
    }
}
