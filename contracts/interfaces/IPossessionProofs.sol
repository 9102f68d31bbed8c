// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Proofs of possession: inventory, periods, proofs and misses
/// @notice Each provider has one number line, the *line*; each of its slots takes an interval as long as its pay per period in
/// gwei, appended at the end. After period p closes, a seed throws `SAMPLES` points on the line; the provider answers all of
/// them in one transaction during p+1. Interval length is pay, so what is paid more is asked more.
///
/// Draw d (0, 1, …): point = keccak256(seed, providerId, p, d) mod length; leaf = keccak256(seed, providerId, p, d, "leaf")
/// mod leafCount (ABI-packed: bytes32, uint32, uint32, uint32, and "leaf" as 4 bytes). A point in a hole (a slot not live in p) is
/// redrawn; the prover names the hole; a point in the gap of a compaction is redrawn and names nothing. Nothing of the caller enters.
///
/// Periods count from 1: period p is [genesis + (p - 1) x periodSeconds, genesis + p x periodSeconds).
///
/// A period is void for all when its beacon did not come in time (then nobody can prove it) or when the chain stood still for more
/// than half of the time to prove it (then proofs given count, and who gave none has no miss).
/// @dev No loop over slots anywhere. Invariants:
/// P1 prove(p) is accepted only in p+1, once; P2 the length for p is what it was at the close of p;
/// P3 a miss is recorded only in order, at most once per period, never for a void period;
/// P4 live = Σ pay, and locked = Σ collateral, of the slots appended and not yet removed;
/// P5 owners' part of a slash = Σ pay of slots in the inventory x `wei per gwei`, the rest is the fund's;
/// P6 a live interval leaves the line never, and moves only in a period whose seed is not known;
/// P7 periods are below 2^24, lengths below 2^48 gwei;
/// P8 no miss is recorded before `reportDelayBlocks` blocks have passed in which a halt could have been shown;
/// P9 service scores take at most `MAX_SERVICE_BPS` of a provider's collateral in any seven days, and never evict;
/// P10 the cursor of misses, and the end of what is final, never fall behind a period that has passed;
/// P11 a provider is missed only for a period in which one of its tenures was live: none of a slot that it lost before.
interface IPossessionProofs {
    struct Sample {
        bytes32 dealId;
        uint8 slotIndex;
        /// Empty for a hole, or (from the provider itself) for a slot that is lost; else the 64-byte leaf followed by the siblings,
        /// bottom up, 32 bytes each.
        bytes proof;
    }

    /// @notice Names a slot.
    struct SlotRef {
        bytes32 dealId;
        uint8 slotIndex;
    }

    struct Inventory {
        /// Length of the line and the part still in the inventory, in gwei of pay per period.
        uint64 lengthGwei;
        uint64 liveGwei;
        /// The line's length at the close of `recordedPeriod`, written by the first change after it.
        uint64 recordedLengthGwei;
        uint32 recordedPeriod;
        /// Next period whose miss may be recorded.
        uint32 cursor;
        /// Collateral of the slots in the inventory.
        uint64 lockedGwei;
    }

    event PeriodProven(uint32 indexed providerId, uint32 indexed period, address prover);
    event PeriodVoided(uint32 indexed period);
    event PeriodMissed(
        uint32 indexed providerId, uint32 indexed period, uint8 tier, uint32 consecutive, uint256 slashedWei, address reporter
    );
    /// From `blockNumber` + `reportDelayBlocks` on, misses of periods up to `period` - 2 may be reported.
    event ReportsOpened(uint32 indexed period, uint256 blockNumber);
    /// All collateral taken and evicted: a proven lie.
    event MaliceProven(uint32 indexed providerId, uint32 indexed period, uint256 slashedWei, address finder);
    /// The service tier: a share of collateral for bad scores.
    event ServiceSlashed(uint32 indexed providerId, uint32 indexed period, uint16 bps, uint256 slashedWei);
    /// A slash that was split: `weiPerGwei` x (pay in gwei) goes to the owner of each slot live in `period`.
    event SlashSplit(
        uint32 indexed providerId, uint32 indexed period, uint256 fundWei, uint256 reporterWei, uint256 ownersWei, uint256 weiPerGwei
    );

    /// An interval was shifted by `compact`; a start of `OFF_LINE_GWEI` says that it was a hole and is gone.
    event IntervalMoved(uint32 indexed providerId, bytes32 indexed dealId, uint8 slotIndex, uint64 startGwei);
    /// Between `gapStartGwei` and `gapEndGwei` the line is empty: a pass of `compact` is under way. 0 and 0 when it is complete.
    event LineCompacted(uint32 indexed providerId, uint64 gapStartGwei, uint64 gapEndGwei, uint64 lengthGwei);

    error NotAuthorized(address caller);
    error WrongPeriod(uint32 period, uint32 current);
    error AlreadyProven(uint32 providerId, uint32 period);
    error ProviderGone(uint32 providerId, uint32 evictedAtPeriod);
    error SeedUnavailable(uint32 period, uint64 round);
    error SeedAvailable(uint32 period);
    error EmptyInventory(uint32 providerId);
    error WrongSampleCount(uint256 actual, uint256 answered);
    error NotTheProvidersSlot(bytes32 dealId, uint8 slotIndex, uint32 providerId);
    error PointOutsideSlot(uint256 draw, uint256 point, uint256 start, uint256 end);
    error SlotIsAHole(bytes32 dealId, uint8 slotIndex);
    error SlotIsLive(bytes32 dealId, uint8 slotIndex);
    error InvalidProofLength(uint256 actual, uint256 expected);
    error InvalidProof(uint256 draw, bytes32 dealId, uint8 slotIndex);
    error TooManyDraws(uint256 draws);
    error PeriodIsVoid(uint32 period);
    error NotLive(bytes32 dealId, uint8 slotIndex, uint32 period);
    error OutOfOrder(uint32 providerId, uint32 period, uint32 earlier);
    error BeforeGenesis(uint256 timestamp, uint256 genesisTime);
    error LineIsFull(uint32 providerId, uint256 lengthGwei, uint256 maxLengthGwei);
    error InvalidConfig(string field);
    error NotNextOnLine(bytes32 dealId, uint8 slotIndex, uint64 startGwei, uint64 expectedGwei);
    error ForfeitedByCompaction(uint32 period);
    error ReportsNotOpen(uint32 period, uint32 openedPeriod, uint256 fromBlock);
    error MissAlreadyReported(uint32 period);
    error NotAHalt(uint256 fromTimestamp, uint256 toTimestamp, uint256 neededSeconds);
    error InvalidHeader(uint256 number);
    error InsufficientCollateral(uint32 providerId, uint256 lockedGwei, uint256 collateralGwei);
    error ServiceBudgetSpent(uint32 providerId, uint16 maxBps);
    error ServiceSlashTooLarge(uint16 bps, uint16 maxBps);

    /// @notice Answers the samples of `period`; anyone may send it for the provider. The provider itself (owner or operator) may name a
    /// drawn slot that it has lost by an empty proof: the slot is forfeited at the price of a loss that was caught, is a hole of
    /// `period`, and the point is redrawn.
    function prove(uint32 providerId, uint32 period, Sample[] calldata samples) external;

    /// @notice `prove`, carrying the beacon round itself (ignored when already known).
    function proveWithBeacon(uint32 providerId, uint32 period, Sample[] calldata samples, uint64 round, bytes calldata signature)
        external;

    /// @notice Opens the reports of the running period: misses of all periods up to two before it may be reported once
    /// `reportDelayBlocks` more blocks have passed. Anyone; a no-op when open. In these blocks a halt can be shown first.
    function openReports() external;

    /// @notice Records that nobody proved `period`, from period + 2 on; the named slot must have been live in it. Earlier periods
    /// must be proven, void, recorded, or older than `reportWindowPeriods`. The caller gets the reporter's part.
    function reportMiss(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) external;

    /// @notice Marks a period void when its beacon did not come in time. Anyone, once the window has passed.
    function voidPeriod(uint32 period) external;

    /// @notice Marks a period void because the chain stood still: two consecutive block headers (RLP, within the last 8191 blocks) whose
    /// timestamps leave out more than half of the seconds in which `period` could be proven. Anyone, before a miss of it is reported.
    function voidHaltedPeriod(uint32 period, bytes calldata parentHeader, bytes calldata header) external;

    /// @notice Takes all collateral and evicts: a lie was proven. Fraud proofs only.
    function punishMalice(uint32 providerId, address finder) external returns (uint256 slashedWei);

    /// @notice Takes `bps` of the collateral for bad service, or what `MAX_SERVICE_BPS` in seven days leaves of it, at least something.
    /// Verifier committee only.
    function slashForService(uint32 providerId, uint16 bps) external returns (uint256 slashedWei);

    /// @notice Closes holes: walks the line from the first slot named (or on from where the last call stopped) over intervals that
    /// must all be named, in order and without a break, drops those that are holes from `period` on, and shifts the others left. What
    /// is not reached yet stays where it was, behind a gap that draws skip. Owner and operator of the provider only, and only
    /// in `period`: positions change before their seed is known. The period before can no longer be proven, so prove it first.
    function compact(uint32 providerId, uint32 period, SlotRef[] calldata slots) external;

    /// @notice Appends an interval that is live from `fromPeriod` on, and locks its collateral out of all `collateralGwei` of the provider.
    /// Market only. @return startGwei its start @return accWeiPerGwei accumulator at that moment
    function append(uint32 providerId, uint64 payGwei, uint64 lockGwei, uint64 collateralGwei, uint32 fromPeriod)
        external
        returns (uint64 startGwei, uint256 accWeiPerGwei);

    /// @notice Takes an interval out; it stays a hole, and its collateral is free. Market only.
    /// @return accWeiPerGwei accumulator now @return ownerWeiPerGwei what it gained by slashes for periods in [fromPeriod, toPeriod)
    function remove(uint32 providerId, uint64 payGwei, uint64 lockGwei, uint32 fromPeriod, uint32 toPeriod)
        external
        returns (uint256 accWeiPerGwei, uint256 ownerWeiPerGwei);

    function currentPeriod() external view returns (uint32);
    function periodOf(uint256 timestamp) external view returns (uint32);
    /// @notice [open, close) of a period in Unix seconds.
    function periodBounds(uint32 period) external view returns (uint256 open, uint256 close);
    function genesisTime() external view returns (uint64);
    function periodSeconds() external view returns (uint64);
    /// @notice Seconds between a period's close and the earliest time of its seed's round.
    function seedDelaySeconds() external view returns (uint64);
    function reportWindowPeriods() external view returns (uint32);
    function reportDelayBlocks() external view returns (uint32);
    /// @notice The period whose reports are open, and the block in which they were opened.
    function reportsOpen() external view returns (uint32 period, uint64 blockNumber);
    function samplesPerProof() external view returns (uint8);
    /// @notice The drand round that seeds `period`.
    function seedRound(uint32 period) external view returns (uint64);
    /// @notice The seed: the round's randomness; reverts when it did not come in time.
    function seedOf(uint32 period) external view returns (bytes32);
    function isProven(uint32 providerId, uint32 period) external view returns (bool);
    /// @notice Void: marked, or its beacon can no longer come in time.
    function isVoid(uint32 period) external view returns (bool);
    /// @notice Proven periods in [from, to).
    function provenCount(uint32 providerId, uint32 from, uint32 to) external view returns (uint256);
    /// @notice How far [from, until) is final for a provider that is not evicted, at most `maxPeriods`, and the proven ones of it.
    function settleable(uint32 providerId, uint32 from, uint32 until, uint32 maxPeriods)
        external
        view
        returns (uint32 to, uint256 proven);
    /// @notice Collateral of the slots in the provider's inventory.
    function lockedGweiOf(uint32 providerId) external view returns (uint64);
    /// @notice Periods before this one are final for the provider: proven, void, recorded as missed, or too old to be reported.
    function finalBefore(uint32 providerId) external view returns (uint32);
    function inventory(uint32 providerId) external view returns (Inventory memory);
    /// @notice The gap of a compaction under way (0, 0 for none) and the period of the last call of `compact`.
    function compactionOf(uint32 providerId) external view returns (uint64 gapStartGwei, uint64 gapEndGwei, uint32 period);
    /// @notice Start of an interval that is no longer on the line.
    function OFF_LINE_GWEI() external view returns (uint64);
    /// @notice The line's length at the close of `period`; exact for current - 1 and for later periods.
    function lengthAt(uint32 providerId, uint32 period) external view returns (uint64);
    function penaltyRecord(uint32 providerId)
        external
        view
        returns (uint32 incidentMisses, uint32 incidents, uint32 lastMissPeriod, uint256 incidentCollateralWei);
}
