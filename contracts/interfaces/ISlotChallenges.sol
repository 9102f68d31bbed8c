// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title On-demand challenges of single slots
/// @notice Anyone may ask a slot's holder to show `LEAVES` leaves of it, at random places that a beacon round after the question decides.
/// The bond is worth more than the gas of an answer: it pays the provider that answers, and goes back when nobody does. The
/// window to answer is long, so that nobody snipes a home machine that has just gone offline.
///
/// Whoever asks sees to it that the round reaches the chain in time (`IDrandBeacon.isOnTime`): otherwise the challenge is dismissed.
///
/// leaf(i) = keccak256(randomness, dealId, slotIndex, i, "challenge") mod leafCount, i = 0 … LEAVES - 1 (ABI-packed: bytes32, bytes32,
/// uint8, uint8, and 9 bytes); the round is the first after the question's time plus `seedDelaySeconds`.
///
///     None -> Open -> {Answered | Forfeited | Dismissed} -> None
///
/// @dev Invariants: C1 one open challenge per slot; C2 at most `OPEN_MAX` open ones per provider, the slot's owner's own not counted;
/// C3 token balance >= Σ bonds of open challenges + Σ credits; C4 a slot is Challenged in the market exactly while its challenge is
/// open, or its provider is gone; C5 every challenge ends: answered before its deadline, or by anyone after it;
/// C6 the bond of an answered challenge is the provider's owner's, of any other the challenger's; C7 an answered slot stays with its
/// holder, a forfeited one is nobody's.
interface ISlotChallenges {
    struct Challenge {
        address challenger;
        uint32 providerId;
        /// Unix seconds after which nobody can answer any more.
        uint64 deadline;
        /// drand round that decides the leaves.
        uint64 round;
        uint256 bondWei;
        /// Asked by the deal's owner, who does not count against the provider's cap.
        bool isOwners;
    }

    event ChallengeOpened(
        bytes32 indexed dealId,
        uint8 indexed slotIndex,
        uint32 indexed providerId,
        address challenger,
        uint64 round,
        uint64 deadline,
        uint256 bondWei
    );
    event ChallengeAnswered(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed providerId);
    /// Nobody answered: the slot's collateral is gone, the bond is the challenger's again.
    event ChallengeForfeited(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed providerId);
    /// No answer was possible or needed (no beacon, the slot given up, its provider evicted): the bond is the challenger's again.
    event ChallengeDismissed(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed providerId);
    event BondChanged(uint256 bondWei);
    event Withdrawn(address indexed account, address to, uint256 amountWei);

    error NotAuthorized(address caller);
    error InvalidConfig(string field);
    error BondOutOfBounds(uint256 bondWei, uint256 minWei, uint256 maxWei);
    error TooManyChallenges(uint32 providerId, uint256 open);
    error NoChallenge(bytes32 dealId, uint8 slotIndex);
    error DeadlinePassed(uint64 deadline);
    error DeadlineAhead(uint64 deadline);
    error BeaconUnavailable(uint64 round);
    error WrongLeafCount(uint256 actual, uint256 expected);
    error InvalidProof(uint256 leaf);
    error NothingToWithdraw(address account);
    error UnsupportedToken(uint256 received, uint256 expected);

    /// @notice Asks for a slot that is Filled; takes the bond out of the caller's tokens.
    function open(bytes32 dealId, uint8 slotIndex) external returns (uint64 round, uint64 deadline);

    /// @notice Answers with one proof per leaf (64 bytes, then the siblings bottom up). Anyone; the bond goes to the provider's owner.
    function answer(bytes32 dealId, uint8 slotIndex, bytes[] calldata proofs) external;

    /// @notice `answer`, carrying the beacon round itself (ignored when already known).
    function answerWithBeacon(bytes32 dealId, uint8 slotIndex, bytes[] calldata proofs, bytes calldata signature) external;

    /// @notice Ends a challenge whose deadline has passed, or whose slot its provider no longer holds. Anyone.
    function resolve(bytes32 dealId, uint8 slotIndex) external;

    /// @notice Pays out the caller's bonds.
    function withdraw(address to) external returns (uint256 amountWei);

    /// @notice New bond for challenges to come, inside the bounds. Timelock only.
    function setBond(uint256 bondWei) external;

    function challengeOf(bytes32 dealId, uint8 slotIndex) external view returns (Challenge memory);
    /// @notice The leaves asked for; reverts while their round is not known.
    function leavesOf(bytes32 dealId, uint8 slotIndex) external view returns (uint256[] memory);
    function openCount(uint32 providerId) external view returns (uint256);
    function creditOf(address account) external view returns (uint256);
    function bondWei() external view returns (uint256);
    function answerSeconds() external view returns (uint64);
}
