// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "./IStorageMarket.sol";

/// @title A developer's free quota for its users
/// @notice The pool is the `payer` of its users' deals. One pool per developer: the market books refunds as credits of the payer, so
/// what comes back comes back to exactly this pool, and pools cannot mix up each other's money.
///
/// **A sponsored deal** takes three signatures, and then anyone may submit it: the providers' offers and the user's OpenDeal (both
/// checked by the market) and the developer's Sponsorship (checked here), EIP-712, domain name "PPIO SponsorPool", version "1", chain
/// id, this contract, by the key `hotKey`:
/// Sponsorship(bytes32 dealId,address user,bytes32 providersHash,uint64 leafCountMin,uint256 payPerPeriodMaxWei,uint32 periodsMax,
/// uint256 escrowMaxWei,uint64 deadline). A dealId is known before sealing, so the developer may sign before anything is uploaded.
///
///     sponsorship of a dealId   None -> {Opened | Cancelled};  Opened -> Opened (renewed, to a later end)
///
/// **Why it cannot be drained.** A user might run providers itself, open deals with them at absurd prices and recycle the pay. So the
/// developer signs the price: at most `payPerPeriodMaxWei` per slot, for at least `leafCountMin` leaves per slot, for at most
/// `periodsMax` periods, in all at most `escrowMaxWei`, and, if it likes, with exactly these providers. What one user can get out of
/// its own storing is then the market's price of it, at most its cap per window. Ending a deal early gains nothing: the refund is the
/// pool's, and quota and budget that were used stay used. Whoever steals the hot key gets at most `budgetWei`, and only as pay for
/// stored slots; the developer names another `hotKey`, at once.
///
/// **Windows.** A user's window begins with its first sponsored deal after the last window ended. So within any span of
/// `windowSeconds` a user is charged at most twice its cap.
///
/// **Withdrawal has no delay, on purpose.** What the pool holds is promised to nobody: escrow of open deals is in the market, out of
/// the developer's reach. A delay would guarantee nothing to a user with a fresh Sponsorship, since hot key, limits and budget must
/// be changeable at once, and nothing to a developer whose own key is stolen, since the thief could cancel the rescue just as well.
/// Providers that take uploads against a pool's balance bear the risk that they bear with any payer.
/// @dev Money: the pool holds the developer's unspent tokens. Invariants:
/// S1 tokens leave only as escrow of deals whose payer is this pool and whose sponsorship the hot key signed, and to where the
/// developer sends them;
/// S2 a dealId is opened at most once, only until its deadline, never after it was cancelled, and renewed only to a
/// later end than ever before, so that no signature counts twice;
/// S3 within one window a user is charged at most `userWeiPerWindow` and `userDealsPerWindow`;
/// S4 what is charged comes off `budgetWei`, and only the developer raises that;
/// S5 what is charged is what left the pool, to the wei: Σ pay x periods at opening, what the market took at renewal, and never
/// above what was signed;
/// S6 refunds and gifts raise the balance and nothing else, no quota and no budget;
/// S7 between transactions the market has no allowance from the pool;
/// S8 balance = received + reclaimed - spent - withdrawn, where received counts direct transfers too.
interface ISponsorPool {
    struct Sponsorship {
        bytes32 dealId;
        /// The deal's owner.
        address user;
        /// keccak256 of the providers' ids in the order of the slots, a word of 32 bytes each; 0 for any providers.
        bytes32 providersHash;
        uint64 leafCountMin;
        /// Of each slot.
        uint256 payPerPeriodMaxWei;
        uint32 periodsMax;
        uint256 escrowMaxWei;
        /// Unix seconds.
        uint64 deadline;
    }

    struct Limits {
        uint128 userWeiPerWindow;
        uint32 userDealsPerWindow;
        uint64 windowSeconds;
    }

    /// @notice What a user was charged in the window that began at `windowStart`; all 0 when none is running.
    struct Usage {
        uint128 usedWei;
        uint32 deals;
        uint64 windowStart;
    }

    enum SponsorshipStatus {
        None,
        Opened,
        Cancelled
    }

    event Funded(address indexed from, uint256 amountWei);
    event Withdrawn(address indexed to, uint256 amountWei);
    event Reclaimed(uint256 amountWei);
    event DealSponsored(bytes32 indexed dealId, address indexed user, uint256 escrowWei);
    event DealRenewed(bytes32 indexed dealId, address indexed user, uint32 newEnd, uint256 escrowWei);
    event SponsorshipCancelled(bytes32 indexed dealId);
    event HotKeySet(address hotKey);
    event LimitsSet(uint128 userWeiPerWindow, uint32 userDealsPerWindow, uint64 windowSeconds);
    event BudgetSet(uint256 budgetWei);

    error NotAuthorized(address caller);
    error ZeroAddress();
    /// @notice A pool without a developer would lock its tokens up.
    error CannotRenounce();
    error InvalidLimits(Limits limits);
    error AuthorizationExpired(uint64 deadline);
    error InvalidSponsorSignature(address recovered, address hotKey);
    error WrongSponsorshipStatus(bytes32 dealId, SponsorshipStatus actual, SponsorshipStatus expected);
    error WrongDeal(bytes32 dealId, bytes32 expected);
    error WrongUser(address user, address expected);
    error WrongPayer(address payer, address expected);
    error WrongProviders(bytes32 providersHash, bytes32 expected);
    error SlotTooSmall(uint256 slotIndex, uint64 leafCount, uint64 leafCountMin);
    error PayTooHigh(uint256 slotIndex, uint256 payPerPeriodWei, uint256 payPerPeriodMaxWei);
    error TooManyPeriods(uint32 periods, uint32 periodsMax);
    error EscrowTooHigh(uint256 escrowWei, uint256 escrowMaxWei);
    error EndNotLater(bytes32 dealId, uint32 newEnd, uint32 lastEnd);
    error UserQuotaExceeded(address user, uint256 usedWei, uint256 neededWei, uint256 userWeiPerWindow);
    error UserDealsExceeded(address user, uint32 userDealsPerWindow);
    error BudgetExceeded(uint256 neededWei, uint256 budgetWei);
    error UnsupportedToken(uint256 received, uint256 expected);
    /// @notice What left the pool is not what it was charged.
    error WrongBalance(uint256 balanceWei, uint256 beforeWei, uint256 chargedWei);
    error NothingToReclaim();

    // ---- sponsoring: anyone may submit ----

    /// @notice Opens a user's deal at the pool's expense.
    /// @param terms as the market takes them; the payer is this pool
    /// @param maxEscrowWei, ownerDeadline, ownerSignature the user's OpenDeal, see IStorageMarket.openDealWithSig
    /// @param signature of `sponsorship` by `hotKey`
    function openDeal(
        IStorageMarket.DealTerms calldata terms,
        uint256 maxEscrowWei,
        uint64 ownerDeadline,
        bytes calldata ownerSignature,
        Sponsorship calldata sponsorship,
        bytes calldata signature
    ) external returns (bytes32 dealId);

    /// @notice Prolongs a deal that this pool opened; the hot key signed SponsoredRenewal(bytes32 dealId,uint32 newEnd,
    /// uint256 escrowMaxWei,uint64 deadline). Charged to the deal's user, as money but not as another deal.
    function renewDeal(bytes32 dealId, uint32 newEnd, uint256 escrowMaxWei, uint64 deadline, bytes calldata signature)
        external
        returns (uint256 escrowWei);

    /// @notice Takes a sponsorship back that was not used. Developer or hot key.
    function cancel(bytes32 dealId) external;

    // ---- money ----

    /// @notice Adds the caller's tokens to the pool; anyone may, and a plain transfer does the same. Raises no limit.
    function fund(uint256 amountWei) external;

    /// @notice Brings back what the market owes the pool: refunds and leftovers of its deals. Anyone may.
    function reclaim() external returns (uint256 amountWei);

    /// @notice Sends unspent tokens to `to`. Developer only.
    function withdraw(address to, uint256 amountWei) external;

    // ---- settings: developer only, at once ----

    /// @notice The key that signs sponsorships; what another one signed is worthless from now on. The zero address stops sponsoring.
    function setHotKey(address hotKey_) external;

    /// @notice Caps of every user. Until they are set nothing is sponsored. `windowSeconds` is at least 1.
    function setLimits(Limits calldata limits_) external;

    /// @notice How much may be charged from now on, gross: refunds do not raise it. 0 stops sponsoring.
    function setBudget(uint256 budgetWei_) external;

    // ---- views ----

    function hotKey() external view returns (address);
    function limits() external view returns (Limits memory);
    /// @notice What may still be charged.
    function budgetWei() external view returns (uint256);
    /// @notice What the user was charged in its running window.
    function usageOf(address user) external view returns (Usage memory);
    /// @notice The deal's user and the last end sponsored (0 before the first renewal).
    function sponsorshipOf(bytes32 dealId) external view returns (SponsorshipStatus status, address user, uint32 renewedTo);
    /// @notice All that was ever charged, reclaimed and withdrawn (S8).
    function totals() external view returns (uint256 spentWei, uint256 reclaimedWei, uint256 withdrawnWei);
    function sponsorshipDigest(Sponsorship calldata sponsorship) external view returns (bytes32);
    function market() external view returns (address);
    function token() external view returns (address);
    function domainSeparator() external view returns (bytes32);
}
