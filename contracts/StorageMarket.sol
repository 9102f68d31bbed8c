// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {MarketTypes} from "./libraries/MarketTypes.sol";
import {Filling} from "./market/Filling.sol";
import {FixedTerms} from "./market/FixedTerms.sol";
import {MarketMoney} from "./market/MarketMoney.sol";
import {DealHead, FillJob, MarketEnv, MarketState, PastWord, Rewards, SlotWord, Work} from "./market/MarketState.sol";
import {Settlement} from "./market/Settlement.sol";
import {SlotTransfers} from "./market/SlotTransfers.sol";
import {Tenures} from "./market/Tenures.sol";

/// @title See IStorageMarket, the manual.
/// @dev Who may do what, and the only way in and out for tokens. What happens to slots is in `market/`: Filling, Tenures (settling, losses,
/// ends), SlotTransfers (other holders; a linked library), MarketMoney (the books), all on one MarketState.
contract StorageMarket is IStorageMarket, EIP712, ReentrancyGuardTransient {
    using MarketMoney for MarketState;
    using SafeERC20 for IERC20;
    using Settlement for MarketState;
    using SlotTransfers for MarketState;
    using Tenures for MarketState;

    struct Config {
        address token;
        address registry;
        address proofs;
        address policy;
        address challenges;
        address repair;
        address committee;
    }

    uint256 private constant GWEI = 1e9;
    uint256 private constant SLOTS_MAX = 128;
    uint256 private constant DEALS_PER_CALL_MAX = 64;
    /// Periods are kept in 24 bits.
    uint256 private constant END_MAX = type(uint24).max;
    /// Of the repair fund, per period, for the committee.
    uint256 public constant REWARD_BPS = 100;

    IERC20 private immutable _token;
    IProviderRegistry private immutable _registry;
    IPossessionProofs private immutable _proofs;
    IPenaltyPolicy private immutable _policy;
    address private immutable _challenges;
    address private immutable _repair;
    address private immutable _committee;

    MarketState private _state;

    constructor(Config memory config) EIP712("PPIO StorageMarket", "1") {
        _token = IERC20(config.token);
        _registry = IProviderRegistry(config.registry);
        _proofs = IPossessionProofs(config.proofs);
        _policy = IPenaltyPolicy(config.policy);
        _challenges = config.challenges;
        _repair = config.repair;
        _committee = config.committee;
    }

    modifier only(address allowed) {
        if (msg.sender != allowed) revert NotAuthorized(msg.sender);
        _;
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
        for (uint256 i; i < deals.length; ++i) {
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
        if (t.owner == address(0)) revert InvalidTerms("owner");
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
        FillJob memory job = FillJob(_env(), dealId, message, start, start);
        uint256[] memory seen = new uint256[](n);
        uint256 leafCount = t.offers[0].leafCount;
        for (uint256 i; i < n; ++i) {
            SlotOffer calldata offer = t.offers[i];
            if (offer.leafCount != leafCount) revert InvalidTerms("leafCount differs between slots");
            uint256 providerId = offer.providerId;
            for (uint256 j; j < i; ++j) {
                if (seen[j] == providerId) revert DuplicateProvider(uint8(i), uint32(providerId));
            }
            seen[i] = providerId;
            roots[i] = offer.root;
            Filling.fill(_state, job, uint8(i), offer);
            payWei += offer.payPerPeriodWei;
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
        _settleOne(dealId, slotIndex);
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

    // ---- money ----

    /// @inheritdoc IStorageMarket
    function withdraw(address to) external nonReentrant returns (uint256 amountWei) {
        return _withdraw(msg.sender, to);
    }

    /// @inheritdoc IStorageMarket
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 amountWei)
    {
        bytes32 structHash = keccak256(abi.encode(MarketTypes.WITHDRAW, account, to, _state.nonces[account]++, deadline));
        _requireSignature(account, structHash, deadline, signature);
        return _withdraw(account, to);
    }

    /// @inheritdoc IStorageMarket
    function donate(uint256 amountWei) external nonReentrant {
        _state.increaseFund(amountWei);
        _pull(msg.sender, amountWei);
    }

    /// @inheritdoc IStorageMarket
    function bookSlash(address finder, uint256 finderWei, uint256 fundWei, uint256 ownersWei) external only(address(_proofs)) {
        _state.unclaimedWei += ownersWei;
        _state.credit(finder, finderWei);
        _state.increaseFund(fundWei);
    }

    /// @inheritdoc IStorageMarket
    function payFromRepairFund(address to, uint256 amountWei) external only(_committee) returns (uint256 paidWei) {
        Rewards memory rewards = _state.rewards;
        uint32 current = _proofs.currentPeriod();
        uint256 already = rewards.period == current ? rewards.paidWei : 0;
        // Of the fund as it was before this period's rewards.
        uint256 allowance = ((_state.repairFundWei + already) * REWARD_BPS) / 10_000;
        uint256 left = allowance > already ? allowance - already : 0;
        paidWei = amountWei < left ? amountWei : left;
        _state.rewards = Rewards(current, uint224(already + paidWei));
        _state.spendFund(to, paidWei);
    }

    /// Takes exactly `amountWei` from `from`.
    function _pull(address from, uint256 amountWei) private {
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(from, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }

    function _usePermit(address owner, Permit calldata p) private {
        // Somebody may have used the permit before us; the allowance decides.
        try IERC20Permit(address(_token)).permit(owner, address(this), p.value, p.deadline, p.v, p.r, p.s) {} catch {}
    }

    function _withdraw(address account, address to) private returns (uint256 amountWei) {
        if (to == address(0)) revert InvalidTerms("to");
        amountWei = _state.creditWei[account];
        if (amountWei == 0) revert NothingToWithdraw(account);
        _state.creditWei[account] = 0;
        emit Withdrawn(account, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    // ---- views ----

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
        if (_state.isHolder(dealId, slotIndex, providerId)) {
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

    /// @inheritdoc IStorageMarket
    function creditOf(address account) external view returns (uint256) {
        return _state.creditWei[account];
    }

    /// @inheritdoc IStorageMarket
    function nonceOf(address account) external view returns (uint256) {
        return _state.nonces[account];
    }

    /// @inheritdoc IStorageMarket
    function repairFundWei() external view returns (uint256) {
        return _state.repairFundWei;
    }

    /// @inheritdoc IStorageMarket
    function unclaimedWei() external view returns (uint256) {
        return _state.unclaimedWei;
    }

    /// @inheritdoc IStorageMarket
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IStorageMarket
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- inside ----

    /// So that the slot of an evicted provider is Vacant before it is given away.
    function _settleOne(bytes32 dealId, uint8 slotIndex) private {
        uint8[] memory slotIndices = new uint8[](1);
        slotIndices[0] = slotIndex;
        _state.settle(_env(), dealId, slotIndices);
    }

    function _env() private view returns (MarketEnv memory) {
        return MarketEnv(_token, _registry, _proofs, _policy, _domainSeparatorV4());
    }

    function _requireSignature(address signer, bytes32 structHash, uint64 deadline, bytes calldata signature) private view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Smart accounts answer for themselves (ERC-1271).
        if (SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidOwnerSignature(recovered, signer);
    }
}
