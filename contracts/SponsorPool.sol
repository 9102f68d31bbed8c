// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ISponsorPool} from "./interfaces/ISponsorPool.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";

/// @title See ISponsorPool, the manual.
/// @dev The developer is the owner, changed in two steps; a pool without one would lock its tokens up, so it cannot be renounced.
contract SponsorPool is ISponsorPool, EIP712, Ownable2Step, ReentrancyGuard {
    using SafeERC20 for IERC20;

    bytes32 private constant SPONSORSHIP = keccak256(
        "Sponsorship(bytes32 dealId,address user,bytes32 providersHash,uint64 leafCountMin,uint256 payPerPeriodMaxWei,"
        "uint32 periodsMax,uint256 escrowMaxWei,uint64 deadline)"
    );
    bytes32 private constant SPONSORED_RENEWAL =
        keccak256("SponsoredRenewal(bytes32 dealId,uint32 newEnd,uint256 escrowMaxWei,uint64 deadline)");

    /// One word: user 160 | renewedTo 32 | status 8.
    struct SponsorshipRecord {
        address user;
        uint32 renewedTo;
        SponsorshipStatus status;
    }

    IStorageMarket private immutable _market;
    IERC20 private immutable _token;

    /// @inheritdoc ISponsorPool
    address public override hotKey;
    /// One word: userWeiPerWindow 128 | userDealsPerWindow 32 | windowSeconds 64.
    Limits private _limits;
    /// @inheritdoc ISponsorPool
    uint256 public override budgetWei;
    /// One word: usedWei 128 | deals 32 | windowStart 64.
    mapping(address user => Usage) private _usage;
    mapping(bytes32 dealId => SponsorshipRecord) private _sponsorships;
    uint256 private _spentWei;
    uint256 private _reclaimedWei;
    uint256 private _withdrawnWei;

    constructor(address market_, address developer) EIP712("PPIO SponsorPool", "1") Ownable(developer) {
        _market = IStorageMarket(market_);
        _token = IERC20(IStorageMarket(market_).token());
    }

    // ---- sponsoring ----

    /// @inheritdoc ISponsorPool
    function openDeal(
        IStorageMarket.DealTerms calldata terms,
        uint256 maxEscrowWei,
        uint64 ownerDeadline,
        bytes calldata ownerSignature,
        Sponsorship calldata s,
        bytes calldata signature
    ) external nonReentrant returns (bytes32 dealId) {
        _requireSignature(_hashSponsorship(s), s.deadline, signature);
        uint256 escrowWei = _checkTerms(terms, s);
        SponsorshipRecord storage record = _sponsorships[s.dealId];
        if (record.status != SponsorshipStatus.None) {
            revert WrongSponsorshipStatus(s.dealId, record.status, SponsorshipStatus.None);
        }

        record.status = SponsorshipStatus.Opened;
        record.user = s.user;
        _charge(s.user, escrowWei, 1);
        emit DealSponsored(s.dealId, s.user, escrowWei);

        uint256 before = _token.balanceOf(address(this));
        _token.forceApprove(address(_market), escrowWei);
        dealId = _market.openDealWithSig(terms, maxEscrowWei, ownerDeadline, ownerSignature);
        if (dealId != s.dealId) revert WrongDeal(dealId, s.dealId);
        _checkSpent(before, escrowWei);
    }

    /// @inheritdoc ISponsorPool
    function renewDeal(bytes32 dealId, uint32 newEnd, uint256 escrowMaxWei, uint64 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 escrowWei)
    {
        bytes32 structHash = keccak256(abi.encode(SPONSORED_RENEWAL, dealId, newEnd, escrowMaxWei, deadline));
        _requireSignature(structHash, deadline, signature);
        SponsorshipRecord storage record = _sponsorships[dealId];
        if (record.status != SponsorshipStatus.Opened) {
            revert WrongSponsorshipStatus(dealId, record.status, SponsorshipStatus.Opened);
        }
        if (newEnd <= record.renewedTo) revert EndNotLater(dealId, newEnd, record.renewedTo);

        record.renewedTo = newEnd;
        uint256 before = _token.balanceOf(address(this));
        _token.forceApprove(address(_market), escrowMaxWei);
        // Only the market knows the price. Nothing can be entered meanwhile, and the allowance bounds what it takes.
        escrowWei = _market.renew(dealId, newEnd);
        _charge(record.user, escrowWei, 0);
        emit DealRenewed(dealId, record.user, newEnd, escrowWei);
        _checkSpent(before, escrowWei);
    }

    /// @inheritdoc ISponsorPool
    function cancel(bytes32 dealId) external {
        if (msg.sender != owner() && msg.sender != hotKey) revert NotAuthorized(msg.sender);
        SponsorshipRecord storage record = _sponsorships[dealId];
        if (record.status != SponsorshipStatus.None) {
            revert WrongSponsorshipStatus(dealId, record.status, SponsorshipStatus.None);
        }
        record.status = SponsorshipStatus.Cancelled;
        emit SponsorshipCancelled(dealId);
    }

    // ---- money ----

    /// @inheritdoc ISponsorPool
    function fund(uint256 amountWei) external nonReentrant {
        emit Funded(msg.sender, amountWei);
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }

    /// @inheritdoc ISponsorPool
    function reclaim() external nonReentrant returns (uint256 amountWei) {
        amountWei = _market.creditOf(address(this));
        if (amountWei == 0) revert NothingToReclaim();
        _reclaimedWei += amountWei;
        emit Reclaimed(amountWei);
        uint256 before = _token.balanceOf(address(this));
        _market.withdraw(address(this));
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }

    /// @inheritdoc ISponsorPool
    function withdraw(address to, uint256 amountWei) external nonReentrant onlyOwner {
        if (to == address(0)) revert ZeroAddress();
        _withdrawnWei += amountWei;
        emit Withdrawn(to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    // ---- settings ----

    /// @inheritdoc ISponsorPool
    function setHotKey(address hotKey_) external onlyOwner {
        hotKey = hotKey_;
        emit HotKeySet(hotKey_);
    }

    /// @inheritdoc ISponsorPool
    function setLimits(Limits calldata limits_) external onlyOwner {
        if (limits_.windowSeconds == 0) revert InvalidLimits(limits_);
        _limits = limits_;
        emit LimitsSet(limits_.userWeiPerWindow, limits_.userDealsPerWindow, limits_.windowSeconds);
    }

    /// @inheritdoc ISponsorPool
    function setBudget(uint256 budgetWei_) external onlyOwner {
        budgetWei = budgetWei_;
        emit BudgetSet(budgetWei_);
    }

    /// Refused: it would lock the pool's tokens up.
    function renounceOwnership() public view override onlyOwner {
        revert CannotRenounce();
    }

    // ---- views ----

    /// @inheritdoc ISponsorPool
    function limits() external view returns (Limits memory) {
        return _limits;
    }

    /// @inheritdoc ISponsorPool
    function usageOf(address user) external view returns (Usage memory) {
        return _runningUsage(user, _limits);
    }

    /// @inheritdoc ISponsorPool
    function sponsorshipOf(bytes32 dealId) external view returns (SponsorshipStatus status, address user, uint32 renewedTo) {
        SponsorshipRecord storage record = _sponsorships[dealId];
        return (record.status, record.user, record.renewedTo);
    }

    /// @inheritdoc ISponsorPool
    function totals() external view returns (uint256 spentWei, uint256 reclaimedWei, uint256 withdrawnWei) {
        return (_spentWei, _reclaimedWei, _withdrawnWei);
    }

    /// @inheritdoc ISponsorPool
    function sponsorshipDigest(Sponsorship calldata s) external view returns (bytes32) {
        return _hashTypedDataV4(_hashSponsorship(s));
    }

    /// @inheritdoc ISponsorPool
    function market() external view returns (address) {
        return address(_market);
    }

    /// @inheritdoc ISponsorPool
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc ISponsorPool
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- inside ----

    function _hashSponsorship(Sponsorship calldata s) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SPONSORSHIP,
                s.dealId,
                s.user,
                s.providersHash,
                s.leafCountMin,
                s.payPerPeriodMaxWei,
                s.periodsMax,
                s.escrowMaxWei,
                s.deadline
            )
        );
    }

    /// Holds the terms to what the developer signed. @return escrowWei Σ pay x periods, exactly. The market bounds the number of
    /// offers, and refuses what this loop lets pass of it.
    function _checkTerms(IStorageMarket.DealTerms calldata terms, Sponsorship calldata s) private view returns (uint256 escrowWei) {
        if (terms.payer != address(this)) revert WrongPayer(terms.payer, address(this));
        if (terms.owner != s.user) revert WrongUser(terms.owner, s.user);
        bytes32 dealId = _market.dealIdOf(terms.owner, terms.dealSalt);
        if (dealId != s.dealId) revert WrongDeal(dealId, s.dealId);
        if (terms.periods > s.periodsMax) revert TooManyPeriods(terms.periods, s.periodsMax);
        uint256 n = terms.offers.length;
        uint256[] memory providerIds = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            IStorageMarket.SlotOffer calldata offer = terms.offers[i];
            if (offer.leafCount < s.leafCountMin) revert SlotTooSmall(i, offer.leafCount, s.leafCountMin);
            if (offer.payPerPeriodWei > s.payPerPeriodMaxWei) revert PayTooHigh(i, offer.payPerPeriodWei, s.payPerPeriodMaxWei);
            escrowWei += offer.payPerPeriodWei;
            providerIds[i] = offer.providerId;
        }
        bytes32 providersHash = keccak256(abi.encodePacked(providerIds));
        if (s.providersHash != 0 && providersHash != s.providersHash) revert WrongProviders(providersHash, s.providersHash);
        escrowWei *= terms.periods;
        if (escrowWei > s.escrowMaxWei) revert EscrowTooHigh(escrowWei, s.escrowMaxWei);
    }

    /// Takes `amountWei` off the user's quota and the budget.
    function _charge(address user, uint256 amountWei, uint32 deals) private {
        Limits memory l = _limits;
        Usage memory usage = _runningUsage(user, l);
        if (usage.usedWei + amountWei > l.userWeiPerWindow) {
            revert UserQuotaExceeded(user, usage.usedWei, amountWei, l.userWeiPerWindow);
        }
        if (deals != 0 && usage.deals + deals > l.userDealsPerWindow) revert UserDealsExceeded(user, l.userDealsPerWindow);
        if (amountWei > budgetWei) revert BudgetExceeded(amountWei, budgetWei);
        if (usage.windowStart == 0) usage.windowStart = uint64(block.timestamp);
        // Not above the cap, which fits.
        usage.usedWei += uint128(amountWei);
        usage.deals += deals;
        _usage[user] = usage;
        budgetWei -= amountWei;
        _spentWei += amountWei;
    }

    /// The user's usage in its running window; nothing when that has ended.
    function _runningUsage(address user, Limits memory l) private view returns (Usage memory usage) {
        usage = _usage[user];
        if (block.timestamp >= uint256(usage.windowStart) + l.windowSeconds) usage = Usage(0, 0, 0);
    }

    /// The market took what was charged, no more and no less, and can take nothing later.
    function _checkSpent(uint256 balanceBeforeWei, uint256 escrowWei) private {
        uint256 balanceWei = _token.balanceOf(address(this));
        if (balanceWei + escrowWei != balanceBeforeWei) revert WrongBalance(balanceWei, balanceBeforeWei, escrowWei);
        _token.forceApprove(address(_market), 0);
    }

    function _requireSignature(bytes32 structHash, uint64 deadline, bytes calldata signature) private view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Nobody signs for the zero address: recovery to it is an error.
        if (SignatureChecker.isValidSignatureNowCalldata(hotKey, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidSponsorSignature(recovered, hotKey);
    }
}
