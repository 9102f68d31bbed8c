// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {MarketLedger} from "./MarketLedger.sol";
import {MarketTypes} from "./libraries/MarketTypes.sol";

/// @title See IStorageMarket, the manual.
/// @dev Deals and slots are here; credits, repair fund and withdrawals in MarketLedger.
contract StorageMarket is MarketLedger {
    uint256 private constant GWEI = 1e9;
    uint256 private constant SLOTS_MAX = 128;
    uint256 private constant DEALS_PER_CALL_MAX = 64;
    uint256 private constant HEADER_BYTES_MAX = 1024;
    /// Periods of one slot that one call settles: bounds the bitmap words it reads. Longer arrears take several calls.
    uint32 private constant SETTLE_PERIODS_MAX = 16_384;
    /// Periods of a slot are kept as 24-bit offsets from the deal's start.
    uint256 private constant PERIODS_MAX = type(uint24).max - 2;

    /// Word 0: owner 160 | start 32 | end 32 | k 8 | n 8 | status 8 | openSlots 8.
    /// Word 1: payer 160 | renewUntil 32 | vacantSlots 8. Word 2: headerHash.
    struct DealRecord {
        address owner;
        uint32 start;
        uint32 end;
        uint8 k;
        uint8 n;
        DealStatus status;
        uint8 openSlots;
        address payer;
        uint32 renewUntil;
        uint8 vacantSlots;
        bytes32 headerHash;
    }

    /// Word 0: root. Word 1: providerId 32 | start of the interval 48 | pay 40 | collateral 40 | leaves 40 | tenure from 24 |
    /// settled to 24 | status 8 (256 bits). Money in gwei, periods counted from the deal's start.
    struct SlotRecord {
        bytes32 root;
        uint32 providerId;
        uint48 startGwei;
        uint40 payGwei;
        uint40 collateralGwei;
        uint40 leafCount;
        uint24 from;
        uint24 settled;
        SlotStatus status;
    }

    IProviderRegistry private immutable _registry;
    IPossessionProofs private immutable _proofs;
    IPenaltyPolicy private immutable _policy;

    mapping(bytes32 dealId => DealRecord) private _deals;
    mapping(bytes32 dealId => mapping(uint8 slotIndex => SlotRecord)) private _slots;
    /// The accumulator of slashes when a slot joined the line; written only when it is not zero.
    mapping(bytes32 dealId => mapping(uint8 slotIndex => uint256 weiPerGwei)) private _accAtAppend;

    constructor(address token_, address registry_, address proofs_, address policy_) MarketLedger(token_, proofs_) {
        _registry = IProviderRegistry(registry_);
        _proofs = IPossessionProofs(proofs_);
        _policy = IPenaltyPolicy(policy_);
    }

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
        // Somebody may have used the permit before us; the allowance decides.
        try IERC20Permit(address(_token)).permit(
            msg.sender, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
        return _openOwn(deals);
    }

    /// @inheritdoc IStorageMarket
    function openDealWithSig(DealTerms calldata terms, uint256 maxEscrowWei, uint64 deadline, bytes calldata ownerSignature)
        external
        nonReentrant
        returns (bytes32 dealId)
    {
        if (terms.payer != msg.sender) revert NotAuthorized(msg.sender);
        bytes memory roots;
        for (uint256 i; i < terms.offers.length; ++i) roots = bytes.concat(roots, terms.offers[i].root);
        bytes32 structHash = keccak256(
            abi.encode(
                MarketTypes.OPEN_DEAL,
                terms.owner,
                terms.payer,
                terms.dealSalt,
                keccak256(terms.header),
                keccak256(roots),
                maxEscrowWei,
                deadline
            )
        );
        _requireSignature(terms.owner, structHash, deadline, ownerSignature);
        uint256 escrowWei;
        (dealId, escrowWei) = _open(terms);
        if (escrowWei > maxEscrowWei) revert InvalidTerms("escrow above what the owner signed");
        _pull(escrowWei);
    }

    function _openOwn(DealTerms[] calldata deals) private returns (bytes32[] memory dealIds) {
        if (deals.length == 0 || deals.length > DEALS_PER_CALL_MAX) revert InvalidTerms("1 to 64 deals in one call");
        dealIds = new bytes32[](deals.length);
        uint256 totalWei;
        for (uint256 i; i < deals.length; ++i) {
            if (deals[i].owner != msg.sender || deals[i].payer != msg.sender) revert NotAuthorized(msg.sender);
            uint256 escrowWei;
            (dealIds[i], escrowWei) = _open(deals[i]);
            totalWei += escrowWei;
        }
        _pull(totalWei);
    }

    function _open(DealTerms calldata t) private returns (bytes32 dealId, uint256 escrowWei) {
        uint256 n = t.offers.length;
        if (t.k == 0 || t.k >= n || n > SLOTS_MAX) revert InvalidTerms("1 <= k < n <= 128");
        if (t.periods == 0 || t.periods > PERIODS_MAX) revert InvalidTerms("periods");
        if (t.owner == address(0)) revert InvalidTerms("owner");
        if (t.header.length == 0 || t.header.length > HEADER_BYTES_MAX) revert InvalidTerms("header");
        dealId = dealIdOf(t.owner, t.dealSalt);
        if (_deals[dealId].status != DealStatus.None) revert DealExists(dealId);
        uint32 start = _proofs.currentPeriod();
        if (start > t.startBy) revert TooLate(start, t.startBy);
        uint32 end = start + t.periods;

        MarketTypes.OfferContext memory context = MarketTypes.OfferContext({
            owner: t.owner,
            payer: t.payer,
            dealSalt: t.dealSalt,
            headerHash: keccak256(t.header),
            k: t.k,
            n: uint8(n),
            startBy: t.startBy,
            periods: t.periods,
            renewUntil: t.renewUntil
        });
        _deals[dealId] = DealRecord({
            owner: t.owner,
            start: start,
            end: end,
            k: t.k,
            n: uint8(n),
            status: DealStatus.Active,
            openSlots: uint8(n),
            payer: t.payer,
            renewUntil: t.renewUntil,
            vacantSlots: 0,
            headerHash: context.headerHash
        });
        for (uint256 i; i < n; ++i) {
            SlotOffer calldata offer = t.offers[i];
            if (offer.leafCount != t.offers[0].leafCount) revert InvalidTerms("leafCount differs between slots");
            for (uint256 j; j < i; ++j) {
                if (t.offers[j].providerId == offer.providerId) revert DuplicateProvider(uint8(i), offer.providerId);
            }
            _fill(dealId, uint8(i), context, offer, start, start);
            escrowWei += offer.payPerPeriodWei;
        }
        escrowWei *= t.periods;
        emit DealOpened(dealId, t.owner, t.payer, start, end, t.k, uint8(n), t.header, escrowWei);
        emit DealStatusChanged(dealId, DealStatus.None, DealStatus.Active);
    }

    /// Checks one offer, locks its collateral and gives the slot to its provider from period `from` on.
    function _fill(
        bytes32 dealId,
        uint8 slotIndex,
        MarketTypes.OfferContext memory context,
        SlotOffer calldata o,
        uint32 dealStart,
        uint32 from
    ) private {
        if (block.timestamp > o.expiry) revert OfferExpired(slotIndex, o.expiry);
        if (o.payPerPeriodWei == 0 || o.payPerPeriodWei % GWEI != 0 || o.payPerPeriodWei / GWEI > type(uint40).max) {
            revert InvalidTerms("payPerPeriodWei");
        }
        if (o.collateralWei == 0 || o.collateralWei % GWEI != 0 || o.collateralWei / GWEI > type(uint40).max) {
            revert InvalidTerms("collateralWei");
        }
        if (o.leafCount == 0 || o.leafCount > type(uint40).max) revert InvalidTerms("leafCount");
        _checkOffer(slotIndex, context, o);

        _registry.lockCollateral(o.providerId, o.collateralWei);
        uint64 payGwei = uint64(o.payPerPeriodWei / GWEI);
        (uint64 startGwei, uint256 acc) = _proofs.append(o.providerId, payGwei, from);
        if (acc != 0 || from != dealStart) _accAtAppend[dealId][slotIndex] = acc;
        _slots[dealId][slotIndex] = SlotRecord({
            root: o.root,
            providerId: o.providerId,
            // The proofs contract keeps the line below 2^48.
            startGwei: uint48(startGwei),
            payGwei: uint40(payGwei),
            collateralGwei: uint40(o.collateralWei / GWEI),
            leafCount: uint40(o.leafCount),
            from: uint24(from - dealStart),
            settled: uint24(from - dealStart),
            status: SlotStatus.Filled
        });
        emit SlotFilled(
            dealId,
            slotIndex,
            o.providerId,
            o.root,
            o.leafCount,
            payGwei,
            uint64(o.collateralWei / GWEI),
            startGwei,
            from
        );
    }

    function _checkOffer(uint8 slotIndex, MarketTypes.OfferContext memory context, SlotOffer calldata o) private view {
        (address operator, uint32 epoch, uint32 evictedAt) = _registry.signerOf(o.providerId);
        if (evictedAt != 0) revert ProviderIsEvicted(o.providerId);
        bytes32 digest = _hashTypedDataV4(MarketTypes.hashOffer(context, slotIndex, o));
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, o.signature);
        bool valid = err == ECDSA.RecoverError.NoError && o.operatorEpoch == epoch && signer == operator;
        if (!valid) revert InvalidOfferSignature(slotIndex, o.providerId, signer);
    }

    // ---- settling ----

    /// @inheritdoc IStorageMarket
    function settle(bytes32 dealId, uint8[] calldata slotIndices) external nonReentrant {
        DealRecord storage d = _existing(dealId);
        for (uint256 i; i < slotIndices.length; ++i) {
            uint8 slotIndex = slotIndices[i];
            if (slotIndex >= d.n) revert WrongSlotStatus(dealId, slotIndex, SlotStatus.None, SlotStatus.Filled);
            _settle(dealId, d, slotIndex);
        }
    }

    function _settle(bytes32 dealId, DealRecord storage d, uint8 slotIndex) private {
        SlotRecord storage s = _slots[dealId][slotIndex];
        if (s.status == SlotStatus.Vacant) {
            if (_proofs.currentPeriod() >= d.end) _closeVacant(dealId, d, slotIndex, s);
            return;
        }
        if (s.status != SlotStatus.Filled) return;

        uint32 providerId = s.providerId;
        uint32 evicted = _registry.evictedAtPeriod(providerId);
        uint32 liveUntil = _min(d.end, evicted);
        uint32 settledTo = d.start + s.settled;
        uint32 to = _proofs.finalBefore(providerId);
        if (to > liveUntil) to = liveUntil;
        if (to > settledTo) {
            if (to - settledTo > SETTLE_PERIODS_MAX) to = settledTo + SETTLE_PERIODS_MAX;
            _pay(dealId, d, slotIndex, s, settledTo, to);
            settledTo = to;
            s.settled = uint24(to - d.start);
        }
        if (settledTo < liveUntil) return;

        // The tenure is over and fully paid.
        _leave(dealId, d, slotIndex, s, evicted);
        if (liveUntil < d.end) {
            s.status = SlotStatus.Vacant;
            emit SlotVacated(dealId, slotIndex, providerId, liveUntil);
            d.vacantSlots += 1;
            if (_proofs.currentPeriod() >= d.end) _closeVacant(dealId, d, slotIndex, s);
            else if (d.status == DealStatus.Active && d.vacantSlots > d.n - d.k) _stop(dealId, d, DealStatus.Failed);
        } else {
            _close(dealId, d, slotIndex, s);
        }
    }

    /// Pays [from, to) of a tenure: proven periods to the provider, less the fee, the others back to the payer.
    function _pay(bytes32 dealId, DealRecord storage d, uint8 slotIndex, SlotRecord storage s, uint32 from, uint32 to) private {
        uint32 providerId = s.providerId;
        uint256 payWei = uint256(s.payGwei) * GWEI;
        uint256 proven = _proofs.provenCount(providerId, from, to);
        uint256 grossWei = proven * payWei;
        uint256 feeWei = _policy.protocolFee(grossWei);
        uint256 refundWei = uint256(to - from) * payWei - grossWei;
        _credit(_registry.ownerOf(providerId), grossWei - feeWei);
        _credit(d.payer, refundWei);
        _increaseRepairFund(feeWei);
        emit SlotSettled(dealId, slotIndex, providerId, from, to, proven, grossWei - feeWei, feeWei, refundWei);
    }

    /// Takes a slot off its provider's line: collateral is released, the owner gets its part of slashes.
    function _leave(bytes32 dealId, DealRecord storage d, uint8 slotIndex, SlotRecord storage s, uint32 evicted) private {
        uint32 providerId = s.providerId;
        // The period of eviction was the slot's too: its slash is shared among those that were live in it.
        uint32 to = _min(d.end, evicted == 0 ? 0 : evicted + 1);
        (uint256 total, uint256 owners) =
            _proofs.remove(providerId, s.payGwei, _accAtAppend[dealId][slotIndex], d.start + s.from, to);
        _registry.releaseCollateral(providerId, uint256(s.collateralGwei) * GWEI);
        _claim(dealId, slotIndex, d.owner, owners * s.payGwei, total * s.payGwei);
    }

    /// Vacant -> Closed at the deal's end: nobody served the rest, the payer gets it back.
    function _closeVacant(bytes32 dealId, DealRecord storage d, uint8 slotIndex, SlotRecord storage s) private {
        _refundVacant(dealId, d, slotIndex, s, d.end);
        d.vacantSlots -= 1;
        _close(dealId, d, slotIndex, s);
    }

    /// Gives the payer back what is between the last tenure's end and period `to`.
    function _refundVacant(bytes32 dealId, DealRecord storage d, uint8 slotIndex, SlotRecord storage s, uint32 to) private {
        uint32 settledTo = d.start + s.settled;
        if (to <= settledTo) return;
        s.settled = uint24(to - d.start);
        uint256 refundWei = uint256(to - settledTo) * s.payGwei * GWEI;
        emit SlotSettled(dealId, slotIndex, s.providerId, settledTo, to, 0, 0, 0, refundWei);
        _credit(d.payer, refundWei);
    }

    function _close(bytes32 dealId, DealRecord storage d, uint8 slotIndex, SlotRecord storage s) private {
        s.status = SlotStatus.Closed;
        emit SlotClosed(dealId, slotIndex, s.providerId, d.end);
        d.openSlots -= 1;
        if (d.openSlots == 0 && d.status == DealStatus.Active) _transition(dealId, d, DealStatus.Completed);
    }

    // ---- refilling ----

    /// @inheritdoc IStorageMarket
    function refill(
        bytes32 dealId,
        bytes32 dealSalt,
        uint8 slotIndex,
        SlotOffer calldata offer,
        uint32 startBy,
        uint32 periods
    ) external nonReentrant {
        DealRecord storage d = _existing(dealId);
        if (dealIdOf(d.owner, dealSalt) != dealId) revert InvalidTerms("dealSalt");
        if (slotIndex >= d.n) revert WrongSlotStatus(dealId, slotIndex, SlotStatus.None, SlotStatus.Vacant);
        _settle(dealId, d, slotIndex);
        if (d.status != DealStatus.Active) revert WrongDealStatus(dealId, d.status, DealStatus.Active);
        SlotRecord storage s = _slots[dealId][slotIndex];
        if (s.status != SlotStatus.Vacant) revert WrongSlotStatus(dealId, slotIndex, s.status, SlotStatus.Vacant);

        uint32 from = _proofs.currentPeriod() + 1;
        if (from > startBy) revert TooLate(from, startBy);
        if (from >= d.end) revert InvalidTerms("the deal ends before the new tenure could start");
        if (uint256(startBy) + periods < d.end) revert InvalidTerms("the offer ends before the deal");
        if (offer.root != s.root) revert WrongCommitment(offer.root, s.root);
        if (offer.leafCount != s.leafCount) revert WrongCommitment(offer.root, s.root);
        if (offer.payPerPeriodWei != uint256(s.payGwei) * GWEI) {
            revert WrongPay(offer.payPerPeriodWei, uint256(s.payGwei) * GWEI);
        }
        for (uint8 i; i < d.n; ++i) {
            SlotRecord storage other = _slots[dealId][i];
            if (other.status == SlotStatus.Filled && other.providerId == offer.providerId) {
                revert DuplicateProvider(slotIndex, offer.providerId);
            }
        }

        _refundVacant(dealId, d, slotIndex, s, from);
        d.vacantSlots -= 1;
        MarketTypes.OfferContext memory context = MarketTypes.OfferContext({
            owner: d.owner,
            payer: d.payer,
            dealSalt: dealSalt,
            headerHash: d.headerHash,
            k: d.k,
            n: d.n,
            startBy: startBy,
            periods: periods,
            renewUntil: d.renewUntil
        });
        _fill(dealId, slotIndex, context, offer, d.start, from);
    }

    // ---- the line ----

    /// @inheritdoc IStorageMarket
    function moveInterval(bytes32 dealId, uint8 slotIndex, uint64 startGwei) external onlyProofs {
        // Never above the old start or OFF_LINE_GWEI, which both fit.
        _slots[dealId][slotIndex].startGwei = uint48(startGwei);
    }

    // ---- ending ----

    /// @inheritdoc IStorageMarket
    function terminate(bytes32 dealId) external nonReentrant {
        DealRecord storage d = _existing(dealId);
        if (msg.sender != d.owner) revert NotAuthorized(msg.sender);
        _stop(dealId, d, DealStatus.Terminated);
    }

    /// @inheritdoc IStorageMarket
    function terminateWithSig(bytes32 dealId, uint64 deadline, bytes calldata ownerSignature) external nonReentrant {
        DealRecord storage d = _existing(dealId);
        bytes32 structHash = keccak256(abi.encode(MarketTypes.TERMINATE_DEAL, dealId, deadline));
        _requireSignature(d.owner, structHash, deadline, ownerSignature);
        _stop(dealId, d, DealStatus.Terminated);
    }

    /// Ends an active deal after the present period; what lies behind it goes back to the payer at once.
    function _stop(bytes32 dealId, DealRecord storage d, DealStatus to) private {
        if (d.status != DealStatus.Active) revert WrongDealStatus(dealId, d.status, DealStatus.Active);
        uint32 oldEnd = d.end;
        uint32 newEnd = _proofs.currentPeriod() + 1;
        if (newEnd < oldEnd) {
            d.end = newEnd;
            uint256 payGwei;
            for (uint8 i; i < d.n; ++i) {
                SlotRecord storage s = _slots[dealId][i];
                if (s.status != SlotStatus.Closed) payGwei += s.payGwei;
            }
            _credit(d.payer, payGwei * GWEI * (oldEnd - newEnd));
        }
        _transition(dealId, d, to);
    }

    function _transition(bytes32 dealId, DealRecord storage d, DealStatus to) private {
        emit DealStatusChanged(dealId, d.status, to);
        d.status = to;
    }

    // ---- views ----

    /// @inheritdoc IStorageMarket
    function dealIdOf(address owner, bytes32 dealSalt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), owner, dealSalt));
    }

    /// @inheritdoc IStorageMarket
    function deal(bytes32 dealId) external view returns (Deal memory) {
        DealRecord storage d = _deals[dealId];
        return Deal(d.owner, d.payer, d.start, d.end, d.k, d.n, d.status, d.openSlots, d.renewUntil, d.headerHash);
    }

    /// @inheritdoc IStorageMarket
    function slot(bytes32 dealId, uint8 slotIndex) public view returns (Slot memory) {
        DealRecord storage d = _deals[dealId];
        SlotRecord storage s = _slots[dealId][slotIndex];
        uint32 evicted = _registry.evictedAtPeriod(s.providerId);
        bool isGone = s.status == SlotStatus.Filled && evicted != 0 && evicted < d.end;
        return Slot({
            root: s.root,
            providerId: s.providerId,
            startGwei: s.startGwei,
            payGwei: s.payGwei,
            collateralGwei: s.collateralGwei,
            leafCount: s.leafCount,
            fromPeriod: d.start + s.from,
            settledTo: d.start + s.settled,
            liveUntil: _min(d.end, evicted),
            status: isGone ? SlotStatus.Vacant : s.status
        });
    }

    /// @inheritdoc IStorageMarket
    function slots(bytes32 dealId) external view returns (Slot[] memory all) {
        uint8 n = _deals[dealId].n;
        all = new Slot[](n);
        for (uint8 i; i < n; ++i) all[i] = slot(dealId, i);
    }

    /// @inheritdoc IStorageMarket
    function slotForProof(bytes32 dealId, uint8 slotIndex)
        external
        view
        returns (
            bytes32 root,
            uint32 providerId,
            uint64 startGwei,
            uint64 payGwei,
            uint64 leafCount,
            uint32 fromPeriod,
            uint32 liveUntil
        )
    {
        DealRecord storage d = _deals[dealId];
        SlotRecord storage s = _slots[dealId][slotIndex];
        liveUntil = _min(d.end, _registry.evictedAtPeriod(s.providerId));
        return (s.root, s.providerId, s.startGwei, s.payGwei, s.leafCount, d.start + s.from, liveUntil);
    }

    /// @inheritdoc IStorageMarket
    function offerDigest(DealTerms calldata t, uint8 slotIndex) external view returns (bytes32) {
        MarketTypes.OfferContext memory context = MarketTypes.OfferContext({
            owner: t.owner,
            payer: t.payer,
            dealSalt: t.dealSalt,
            headerHash: keccak256(t.header),
            k: t.k,
            n: uint8(t.offers.length),
            startBy: t.startBy,
            periods: t.periods,
            renewUntil: t.renewUntil
        });
        return _hashTypedDataV4(MarketTypes.hashOffer(context, slotIndex, t.offers[slotIndex]));
    }

    // ---- inside ----

    function _existing(bytes32 dealId) private view returns (DealRecord storage d) {
        d = _deals[dealId];
        if (d.status == DealStatus.None) revert WrongDealStatus(dealId, DealStatus.None, DealStatus.Active);
    }

    /// The smaller of a deal's end and a period that is 0 when there is none.
    function _min(uint32 end, uint32 other) private pure returns (uint32) {
        return other != 0 && other < end ? other : end;
    }
}
