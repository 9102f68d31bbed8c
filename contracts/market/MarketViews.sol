// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketTypes} from "../libraries/MarketTypes.sol";
import {FixedTerms} from "./FixedTerms.sol";
import {MarketAccounts} from "./MarketAccounts.sol";
import {DealHead, PastWord, SlotWord} from "./MarketState.sol";
import {Tenures} from "./Tenures.sol";

/// @title Deals and slots as others see them.
abstract contract MarketViews is MarketAccounts {
    /// @inheritdoc IStorageMarket
    function dealIdOf(address owner, bytes32 dealSalt) public view returns (bytes32) {
        return Tenures.dealIdOf(owner, dealSalt);
    }

    /// @inheritdoc IStorageMarket
    function deal(bytes32 dealId) external view returns (Deal memory) {
        DealHead memory h = _state.heads[dealId];
        (address owner, address payer, uint32 renewUntil, bytes16 header) = FixedTerms.read(h.terms);
        return Deal(owner, payer, h.start, h.end, h.k, h.n, h.status, h.openSlots, h.vacantSlots, renewUntil, header);
    }

    /// @inheritdoc IStorageMarket
    function slot(bytes32 dealId, uint8 slotIndex) public view returns (Slot memory) {
        DealHead memory head = _state.heads[dealId];
        SlotWord memory s = _state.slots[dealId][slotIndex];
        uint32 evicted = _registry.evictedAtPeriod(s.providerId);
        bool isGone = Tenures.isHeld(s.status) && evicted != 0 && evicted < head.end;
        return Slot({
            root: FixedTerms.root(head.terms, slotIndex),
            providerId: s.providerId,
            startGwei: s.startGwei,
            payGwei: s.payGwei,
            collateralGwei: s.collateralGwei,
            leafCount: s.leafCount,
            fromPeriod: s.from,
            settledTo: s.settledTo,
            liveUntil: evicted != 0 && evicted < head.end ? evicted : head.end,
            status: isGone ? SlotStatus.Vacant : s.status
        });
    }

    /// @inheritdoc IStorageMarket
    function slots(bytes32 dealId) external view returns (Slot[] memory all) {
        uint8 n = _state.heads[dealId].n;
        all = new Slot[](n);
        for (uint8 i; i < n; ++i) all[i] = slot(dealId, i);
    }

    /// @inheritdoc IStorageMarket
    function pastTenure(bytes32 dealId, uint8 slotIndex, uint32 providerId) external view returns (PastTenure memory) {
        PastWord memory p = _state.past[dealId][slotIndex][providerId];
        return PastTenure(p.startGwei, p.payGwei, p.collateralGwei, p.from, p.settledTo, p.until, p.isSettled);
    }

    /// @inheritdoc IStorageMarket
    function slotForProof(bytes32 dealId, uint8 slotIndex, uint32 providerId)
        external
        view
        returns (bytes32 root, uint64 startGwei, uint64 payGwei, uint64 leafCount, uint32 fromPeriod, uint32 untilPeriod)
    {
        // Storage pointers, not copies: what a proof costs is mostly this function.
        DealHead storage head = _state.heads[dealId];
        SlotWord storage s = _state.slots[dealId][slotIndex];
        root = FixedTerms.root(head.terms, slotIndex);
        leafCount = s.leafCount;
        if (Tenures.isHolder(s.providerId, s.status, providerId)) {
            return (root, s.startGwei, s.payGwei, leafCount, s.from, head.end);
        }
        PastWord storage p = _state.past[dealId][slotIndex][providerId];
        return (root, p.startGwei, p.payGwei, leafCount, p.from, p.until);
    }

    /// @inheritdoc IStorageMarket
    function offerDigest(DealTerms calldata t, uint8 slotIndex) external view returns (bytes32) {
        bytes memory message = MarketTypes.offerMessage(
            t.owner, t.payer, t.dealSalt, t.k, uint8(t.offers.length), t.header, t.startBy, t.periods, t.renewUntil
        );
        return _hashTypedDataV4(MarketTypes.hashOffer(message, slotIndex, t.offers[slotIndex]));
    }
}
