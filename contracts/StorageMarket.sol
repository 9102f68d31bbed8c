// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IdSet} from "./libraries/IdSet.sol";
import {MarketTypes} from "./libraries/MarketTypes.sol";
import {Filling} from "./market/Filling.sol";
import {FixedTerms} from "./market/FixedTerms.sol";
import {MarketAccounts} from "./market/MarketAccounts.sol";
import {DealHead, FillJob, MarketState, Work} from "./market/MarketState.sol";
import {MarketViews} from "./market/MarketViews.sol";
import {Settlement} from "./market/Settlement.sol";
import {SlotTransfers} from "./market/SlotTransfers.sol";
import {Tenures} from "./market/Tenures.sol";

/// @title See IStorageMarket, the manual.
/// @dev Who may do what. The rest is in `market/`, all of it on one MarketState: MarketAccounts (tokens in and out, signatures), MarketViews,
/// Filling, Tenures (losses, ends), Settlement and SlotTransfers (other holders; both linked libraries), MarketMoney (the books).
contract StorageMarket is MarketViews {
    using Settlement for MarketState;
    using SlotTransfers for MarketState;
    using Tenures for MarketState;

    uint256 private constant GWEI = 1e9;
    uint256 private constant SLOTS_MAX = 128;
    uint256 private constant DEALS_PER_CALL_MAX = 64;
    /// Of all deals of one call: with every provider new, 2 deals of 128 take 20 million gas, 64 of 4 take 27.
    uint256 private constant SLOTS_PER_CALL_MAX = 256;
    /// Periods are kept in 24 bits.
    uint256 private constant END_MAX = type(uint24).max;

    constructor(Config memory config) MarketAccounts(config) {}

    // ---- opening ----

    /// @inheritdoc IStorageMarket
    function openDeals(DealTerms[] calldata deals) external nonReentrant returns (bytes32[] memory dealIds) {
        return _openOwn(deals);
    }

    /// @inheritdoc IStorageMarket
    function openDealsWithPermit(DealTerms[] calldata deals, Permit calldata permit)
        external
        nonReentrant
        returns (bytes32[] memory dealIds)
    {
        _usePermit(msg.sender, permit);
        return _openOwn(deals);
    }

    /// @inheritdoc IStorageMarket
    function openDealWithSig(DealTerms calldata terms, uint256 maxEscrowWei, uint64 deadline, bytes calldata ownerSignature)
        external
        nonReentrant
        returns (bytes32 dealId)
    {
        if (terms.payer != msg.sender) revert NotAuthorized(msg.sender);
        bytes32[] memory roots = new bytes32[](terms.offers.length);
        for (uint256 i; i < roots.length; ++i) roots[i] = terms.offers[i].root;
        bytes32 structHash = keccak256(
            abi.encode(
                MarketTypes.OPEN_DEAL,
                terms.owner,
                terms.payer,
                terms.dealSalt,
                keccak256(abi.encodePacked(terms.header)),
                keccak256(abi.encodePacked(roots)),
                maxEscrowWei,
                deadline
            )
        );
        _requireSignature(terms.owner, structHash, deadline, ownerSignature);
        uint256 escrowWei;
        (dealId, escrowWei) = _open(terms);
        if (escrowWei > maxEscrowWei) revert InvalidTerms("escrow above what the owner signed");
        _pull(msg.sender, escrowWei);
    }

    function _openOwn(DealTerms[] calldata deals) private returns (bytes32[] memory dealIds) {
        if (deals.length == 0 || deals.length > DEALS_PER_CALL_MAX) revert InvalidTerms("1 to 64 deals in one call");
        dealIds = new bytes32[](deals.length);
        uint256 totalWei;
        uint256 slotCount;
        for (uint256 i; i < deals.length; ++i) {
            slotCount += deals[i].offers.length;
            if (slotCount > SLOTS_PER_CALL_MAX) revert TooManySlots(slotCount, SLOTS_PER_CALL_MAX);
            if (deals[i].owner != msg.sender || deals[i].payer != msg.sender) revert NotAuthorized(msg.sender);
            uint256 escrowWei;
            (dealIds[i], escrowWei) = _open(deals[i]);
            totalWei += escrowWei;
        }
        _pull(msg.sender, totalWei);
    }

    function _open(DealTerms calldata t) private returns (bytes32 dealId, uint256 escrowWei) {
        uint256 n = t.offers.length;
        if (t.k == 0 || t.k >= n || n > SLOTS_MAX) revert InvalidTerms("1 <= k < n <= 128");
        if (t.header == 0) revert InvalidTerms("header");
        dealId = dealIdOf(t.owner, t.dealSalt);
        if (_state.heads[dealId].status != DealStatus.None) revert DealExists(dealId);
        uint32 start = _proofs.currentPeriod();
        if (start > t.startBy) revert TooLate(start, t.startBy);
        if (t.periods == 0 || uint256(start) + t.periods > END_MAX) revert InvalidTerms("periods");
        uint32 end = start + t.periods;

        bytes32[] memory roots = new bytes32[](n);
        escrowWei = _fillAll(dealId, t, start, roots) * t.periods;
        address terms = FixedTerms.write(t.owner, t.payer, t.renewUntil, t.header, roots);
        _state.heads[dealId] = DealHead(terms, uint24(start), uint24(end), t.k, uint8(n), DealStatus.Active, uint8(n), 0);
        emit DealOpened(dealId, t.owner, t.payer, t.dealSalt, start, end, t.k, uint8(n), t.header, escrowWei);
    }

    /// Fills all slots of a new deal and gathers their roots. @return payWei of all slots in one period
    function _fillAll(bytes32 dealId, DealTerms calldata t, uint32 start, bytes32[] memory roots) private returns (uint256 payWei) {
        uint256 n = roots.length;
        bytes memory message = MarketTypes.offerMessage(
            t.owner, t.payer, t.dealSalt, t.k, uint8(n), t.header, t.startBy, t.periods, t.renewUntil
        );
        FillJob memory job = FillJob(_env(), dealId, message, start, start, false);
        uint256[] memory seen = IdSet.create(n);
        uint256 leafCount = t.offers[0].leafCount;
        // Memory gets dearer the more of it there is, and nothing of a filling is needed after it.
        Memory.Pointer free = Memory.getFreeMemoryPointer();
        for (uint256 i; i < n; ++i) {
            SlotOffer calldata offer = t.offers[i];
            if (offer.leafCount != leafCount) revert InvalidTerms("leafCount differs between slots");
            // Nobody has id 0, which filling refuses.
            if (!IdSet.add(seen, offer.providerId) && offer.providerId != 0) {
                revert DuplicateProvider(uint8(i), offer.providerId);
            }
            roots[i] = offer.root;
            Filling.fill(_state, job, uint8(i), offer);
            payWei += offer.payPerPeriodWei;
            Memory.unsafeSetFreeMemoryPointer(free);
        }
    }

    // ---- renewing ----

    /// @inheritdoc IStorageMarket
    function renew(bytes32 dealId, uint32 newEnd) external nonReentrant returns (uint256 escrowWei) {
        return _renew(dealId, newEnd, msg.sender);
    }

    /// @inheritdoc IStorageMarket
    function renewWithPermit(bytes32 dealId, uint32 newEnd, Permit calldata permit) external nonReentrant returns (uint256 escrowWei) {
        _usePermit(msg.sender, permit);
        return _renew(dealId, newEnd, msg.sender);
    }

    /// @inheritdoc IStorageMarket
    function renewWithSig(bytes32 dealId, uint32 newEnd, uint64 deadline, bytes calldata payerSignature, Permit calldata permit)
        external
        nonReentrant
        returns (uint256 escrowWei)
    {
        (, address payer,,) = FixedTerms.read(_state.existing(dealId).terms);
        bytes32 structHash = keccak256(abi.encode(MarketTypes.RENEW_DEAL, dealId, newEnd, deadline));
        _requireSignature(payer, structHash, deadline, payerSignature);
        if (permit.value != 0) _usePermit(payer, permit);
        return _renew(dealId, newEnd, payer);
    }

    function _renew(bytes32 dealId, uint32 newEnd, address from) private returns (uint256 escrowWei) {
        DealHead memory head = _state.existing(dealId);
        (, address payer, uint32 renewUntil,) = FixedTerms.read(head.terms);
        if (from != payer) revert NotAuthorized(from);
        Tenures.requireActive(dealId, head);
        uint32 current = _proofs.currentPeriod();
        if (current >= head.end) revert TooLate(current, head.end - 1);
        if (newEnd <= head.end || newEnd > renewUntil || newEnd > END_MAX) revert InvalidTerms("newEnd");
        escrowWei = _state.openPayGwei(dealId, head.n) * GWEI * (newEnd - head.end);
        emit DealRenewed(dealId, head.end, newEnd, escrowWei);
        _state.heads[dealId].end = uint24(newEnd);
        _pull(from, escrowWei);
    }

    // ---- settling ----

    /// @inheritdoc IStorageMarket
    function settle(bytes32 dealId, uint8[] calldata slotIndices) external nonReentrant {
        _state.settle(_env(), dealId, slotIndices);
    }

    /// @inheritdoc IStorageMarket
    function settleTenure(bytes32 dealId, uint8 slotIndex, uint32 providerId) external nonReentrant {
        _state.settleTenure(_env(), dealId, slotIndex, providerId);
    }

    // ---- changing holders ----

    /// @inheritdoc IStorageMarket
    function declareLost(bytes32 dealId, uint8 slotIndex) external nonReentrant {
        _state.declareLost(_env(), dealId, slotIndex);
    }

    /// @inheritdoc IStorageMarket
    function handOver(bytes32 dealId, uint8 slotIndex, SlotOffer calldata offer, RefillTerms calldata terms) external nonReentrant {
        _state.handOver(_env(), dealId, slotIndex, offer, terms);
    }

    /// @inheritdoc IStorageMarket
    function refill(bytes32 dealId, uint8 slotIndex, SlotOffer calldata offer, RefillTerms calldata terms) external nonReentrant {
        if (msg.sender != _ownerOf(dealId)) revert NotAuthorized(msg.sender);
        _settleOne(dealId, slotIndex);
        _state.refill(_env(), dealId, slotIndex, offer, terms);
    }

    /// @inheritdoc IStorageMarket
    function refillWithSig(
        bytes32 dealId,
        uint8 slotIndex,
        SlotOffer calldata offer,
        RefillTerms calldata terms,
        uint64 deadline,
        bytes calldata ownerSignature
    ) external nonReentrant {
        _settleOne(dealId, slotIndex);
        uint32 vacantFrom = _state.slots[dealId][slotIndex].from;
        bytes32 structHash = keccak256(
            abi.encode(MarketTypes.REFILL_SLOT, dealId, slotIndex, vacantFrom, offer.providerId, offer.collateralWei, deadline)
        );
        _requireSignature(_ownerOf(dealId), structHash, deadline, ownerSignature);
        _state.refill(_env(), dealId, slotIndex, offer, terms);
    }

    /// @inheritdoc IStorageMarket
    function reserve(bytes32 dealId, uint8 slotIndex) external nonReentrant only(_repair) returns (uint64 collateralGwei) {
        _settleOne(dealId, slotIndex);
        return _state.reserve(_env(), dealId, slotIndex);
    }

    /// @inheritdoc IStorageMarket
    function unreserve(bytes32 dealId, uint8 slotIndex) external only(_repair) {
        _state.unreserve(dealId, slotIndex);
    }

    /// @inheritdoc IStorageMarket
    function refillReserved(
        bytes32 dealId,
        uint8 slotIndex,
        SlotOffer calldata offer,
        RefillTerms calldata terms,
        address repairer
    ) external nonReentrant only(_repair) returns (uint256 premiumWei) {
        return _state.refillReserved(_env(), dealId, slotIndex, offer, terms, repairer);
    }

    /// @inheritdoc IStorageMarket
    function moveInterval(bytes32 dealId, uint8 slotIndex, uint32 providerId, uint64 startGwei) external only(address(_proofs)) {
        _state.moveInterval(dealId, slotIndex, providerId, startGwei);
    }

    /// @inheritdoc IStorageMarket
    function forfeitSampled(bytes32 dealId, uint8 slotIndex, uint32 providerId, uint32 period)
        external
        nonReentrant
        only(address(_proofs))
    {
        _state.forfeitSampled(_env(), dealId, slotIndex, providerId, period);
    }

    /// @inheritdoc IStorageMarket
    function startChallenge(bytes32 dealId, uint8 slotIndex)
        external
        only(_challenges)
        returns (uint32 providerId, address owner)
    {
        return _state.startChallenge(_env(), dealId, slotIndex);
    }

    /// @inheritdoc IStorageMarket
    function endChallenge(bytes32 dealId, uint8 slotIndex, address finder) external nonReentrant only(_challenges) {
        _state.endChallenge(_env(), dealId, slotIndex, finder);
    }

    // ---- ending ----

    /// @inheritdoc IStorageMarket
    function terminate(bytes32 dealId) external nonReentrant {
        Work memory w = _state.load(_env(), dealId);
        if (msg.sender != w.owner) revert NotAuthorized(msg.sender);
        _terminate(w);
    }

    /// @inheritdoc IStorageMarket
    function terminateWithSig(bytes32 dealId, uint64 deadline, bytes calldata ownerSignature) external nonReentrant {
        Work memory w = _state.load(_env(), dealId);
        bytes32 structHash = keccak256(abi.encode(MarketTypes.TERMINATE_DEAL, dealId, deadline));
        _requireSignature(w.owner, structHash, deadline, ownerSignature);
        _terminate(w);
    }

    function _terminate(Work memory w) private {
        _state.stop(w, DealStatus.Terminated);
        _state.save(w);
    }

    // ---- inside ----

    function _ownerOf(bytes32 dealId) private view returns (address owner) {
        (owner,,,) = FixedTerms.read(_state.existing(dealId).terms);
    }

    /// So that the slot of an evicted provider is Vacant before it is given away.
    function _settleOne(bytes32 dealId, uint8 slotIndex) private {
        uint8[] memory slotIndices = new uint8[](1);
        slotIndices[0] = slotIndex;
        _state.settle(_env(), dealId, slotIndices);
    }
}
