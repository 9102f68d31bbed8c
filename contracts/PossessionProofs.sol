// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Draws} from "./libraries/Draws.sol";
import {PeriodBitmap} from "./libraries/PeriodBitmap.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";
import {SlotReader} from "./libraries/SlotReader.sol";
import {WeekBudget} from "./libraries/WeekBudget.sol";
import {Periods} from "./Periods.sol";
import {ProviderLines} from "./ProviderLines.sol";

/// @title See IPossessionProofs, the manual.
/// @dev Proofs, misses and what both cost are here; time and seeds in Periods, what is on a line in ProviderLines.
contract PossessionProofs is ProviderLines {
    using PeriodBitmap for PeriodBitmap.Bitmap;

    struct Config {
        IProviderRegistry registry;
        IStorageMarket market;
        IPenaltyPolicy policy;
        IDrandBeacon beacon;
        address fraudProofs;
        address committee;
        uint64 genesisTime;
        uint64 periodSeconds;
        uint64 seedDelaySeconds;
        uint32 reportWindowPeriods;
        uint32 reportDelayBlocks;
        uint8 samplesPerProof;
    }

    /// One word: 32 | 32 | 32 | 96 = 192 bits. The registry bounds collateral to 56 bits of gwei.
    struct MissRecord {
        uint32 incidentMisses;
        uint32 incidents;
        uint32 lastMissPeriod;
        uint96 incidentCollateralWei;
    }

    /// One word: 32 | 64 = 96 bits.
    struct ReportsOpen {
        uint32 period;
        uint64 blockNumber;
    }

    /// What one `prove` call works on.
    struct Challenge {
        bytes32 seed;
        uint32 providerId;
        uint32 period;
        uint64 lengthGwei;
        uint64 gapStartGwei;
        uint64 gapEndGwei;
    }

    /// Samples in one proof, holes included. With half of the line alive 256 draws fail once in 2^200.
    uint256 public constant MAX_DRAWS = 256;
    /// Proven periods looked at when incidents decay; older ones no longer change the result for any sane policy.
    uint32 public constant MAX_DECAY_SPAN = 4096;
    /// Most that bad scores may take in any seven days.
    uint16 public constant MAX_SERVICE_BPS = 200;
    uint32 private constant MAX_REPORT_WINDOW = 256;
    /// A halt is shown with headers of the last 8191 blocks; more delay than this would only keep reporters waiting.
    uint32 private constant MAX_REPORT_DELAY = 1024;

    IPenaltyPolicy private immutable _policy;
    address private immutable _fraudProofs;
    address private immutable _committee;
    /// @inheritdoc IPossessionProofs
    uint32 public immutable override reportWindowPeriods;
    /// @inheritdoc IPossessionProofs
    uint32 public immutable override reportDelayBlocks;
    /// @inheritdoc IPossessionProofs
    uint8 public immutable override samplesPerProof;

    mapping(uint32 providerId => MissRecord) private _records;
    mapping(uint32 providerId => PeriodBitmap.Bitmap) private _proven;
    /// @inheritdoc IPossessionProofs
    ReportsOpen public override reportsOpen;
    mapping(uint32 providerId => uint256) private _serviceWeeks;

    constructor(Config memory config)
        Periods(config.beacon, config.genesisTime, config.periodSeconds, config.seedDelaySeconds)
        ProviderLines(config.registry, config.market)
    {
        if (config.reportWindowPeriods == 0 || config.reportWindowPeriods > MAX_REPORT_WINDOW) {
            revert InvalidConfig("reportWindowPeriods");
        }
        if (config.reportDelayBlocks > MAX_REPORT_DELAY) revert InvalidConfig("reportDelayBlocks");
        if (config.samplesPerProof == 0) revert InvalidConfig("samplesPerProof");
        _policy = config.policy;
        _fraudProofs = config.fraudProofs;
        _committee = config.committee;
        reportWindowPeriods = config.reportWindowPeriods;
        reportDelayBlocks = config.reportDelayBlocks;
        samplesPerProof = config.samplesPerProof;
    }

    // ---- proofs ----

    /// @inheritdoc IPossessionProofs
    function prove(uint32 providerId, uint32 period, Sample[] calldata samples) external {
        _prove(providerId, period, samples);
    }

    /// @inheritdoc IPossessionProofs
    function proveWithBeacon(
        uint32 providerId,
        uint32 period,
        Sample[] calldata samples,
        uint64 round,
        bytes calldata signature
    ) external {
        _beacon.submit(round, signature);
        _prove(providerId, period, samples);
    }

    function _prove(uint32 providerId, uint32 period, Sample[] calldata samples) private {
        uint32 current = currentPeriod();
        if (current != uint256(period) + 1) revert WrongPeriod(period, current);
        Line memory line = _lines[providerId];
        if (line.flags & EVICTED != 0) revert ProviderGone(providerId, _registry.evictedAtPeriod(providerId));
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        uint64 length = _lengthAt(line, period);
        if (length == 0) revert EmptyInventory(providerId);
        Challenge memory challenge = Challenge(seedOf(period), providerId, period, length, 0, 0);
        if (line.flags & COMPACTED != 0) {
            Compaction memory compaction = _compactions[providerId];
            if (compaction.period == current) revert ForfeitedByCompaction(period);
            (challenge.gapStartGwei, challenge.gapEndGwei) = (compaction.gapStartGwei, compaction.gapEndGwei);
        }
        _checkSamples(challenge, samples);

        _proven[providerId].set(period);
        emit PeriodProven(providerId, period, msg.sender);
    }

    function _checkSamples(Challenge memory c, Sample[] calldata samples) private {
        uint256 answered;
        uint256 used;
        for (uint256 draw; answered < samplesPerProof;) {
            if (draw == MAX_DRAWS) revert TooManyDraws(draw);
            // The length is not 0.
            uint256 point = Draws.point(c.seed, c.providerId, c.period, draw) % c.lengthGwei;
            if (point < c.gapStartGwei || point >= c.gapEndGwei) {
                if (used == samples.length) revert WrongSampleCount(samples.length, answered);
                bool live = _checkSample(c, draw, point, samples[used]);
                // Both are at most one more than `draw`.
                unchecked {
                    ++used;
                    if (live) ++answered;
                }
            }
            // At most MAX_DRAWS.
            unchecked {
                ++draw;
            }
        }
        if (used != samples.length) revert WrongSampleCount(samples.length, answered);
    }

    /// @return live false for a hole, also for one that is made here by naming a lost slot
    function _checkSample(Challenge memory c, uint256 draw, uint256 point, Sample calldata sample) private returns (bool live) {
        (bytes32 dealId, uint8 slotIndex, bytes calldata proof) = (sample.dealId, sample.slotIndex, sample.proof);
        (bytes32 root, uint256 start, uint256 pay, uint256 leafCount, uint256 from, uint256 until) =
            SlotReader.slotForProof(_market, dealId, slotIndex, c.providerId);
        if (pay == 0) revert NotTheProvidersSlot(dealId, slotIndex, c.providerId);
        // Both are below 2^64.
        unchecked {
            if (point < start || point >= start + pay) revert PointOutsideSlot(draw, point, start, start + pay);
        }

        live = from <= c.period && c.period < until;
        if (!live) {
            if (proof.length != 0) revert SlotIsAHole(dealId, slotIndex);
            return false;
        }
        if (proof.length == 0) {
            // Nobody else may give a provider's slot up.
            if (!_isProvidersOwn(c.providerId, msg.sender)) revert SlotIsLive(dealId, slotIndex);
            _market.forfeitSampled(dealId, slotIndex, c.providerId, c.period);
            return false;
        }
        if (!Sha256Merkle.isProofLength(proof.length, leafCount)) {
            revert InvalidProofLength(proof.length, Sha256Merkle.LEAF_BYTES + 32 * Sha256Merkle.depth(leafCount));
        }
        uint256 leaf = Draws.leaf(c.seed, c.providerId, c.period, draw) % leafCount;
        if (!Sha256Merkle.verify(root, leaf, proof)) revert InvalidProof(draw, dealId, slotIndex);
    }

    // ---- misses ----

    /// @inheritdoc IPossessionProofs
    function openReports() external {
        uint32 current = currentPeriod();
        if (reportsOpen.period == current) return;
        reportsOpen = ReportsOpen(current, uint64(block.number));
        emit ReportsOpened(current, block.number);
    }

    /// @inheritdoc IPossessionProofs
    function reportMiss(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) external {
        _requireReportable(providerId, period);
        _requireLive(providerId, period, dealId, slotIndex);
        bool consecutive = _requireInOrder(providerId, period);
        _lines[providerId].cursor = uint24(period + 1);
        _reported.set(period);

        MissRecord memory record = _records[providerId];
        (IPenaltyPolicy.Tier tier, uint256 slashWei, IPenaltyPolicy.Record memory next) = _policy.assess(
            IPenaltyPolicy.Record(
                record.incidentMisses, record.incidents, record.lastMissPeriod, record.incidentCollateralWei
            ),
            period,
            consecutive,
            _provenSince(providerId, record.lastMissPeriod, period),
            _registry.collateralOf(providerId)
        );
        _records[providerId] = MissRecord(
            next.incidentMisses, next.incidents, next.lastMissPeriod, uint96(next.incidentCollateralWei)
        );
        uint256 takenWei = slashWei == 0 ? 0 : _registry.slash(providerId, slashWei);
        emit PeriodMissed(providerId, period, uint8(tier), next.incidentMisses, takenWei, msg.sender);
        _distribute(providerId, period, takenWei, IPenaltyPolicy.Finder.Reporter, msg.sender);
        if (tier == IPenaltyPolicy.Tier.Destruction) _evict(providerId, period);
    }

    /// @inheritdoc IPossessionProofs
    function punishMalice(uint32 providerId, address finder) external returns (uint256 slashedWei) {
        if (msg.sender != _fraudProofs) revert NotAuthorized(msg.sender);
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);
        uint32 period = currentPeriod();
        slashedWei = _registry.slash(providerId, _registry.collateralOf(providerId));
        emit MaliceProven(providerId, period, slashedWei, finder);
        _distribute(providerId, period, slashedWei, IPenaltyPolicy.Finder.Challenger, finder);
        _evict(providerId, period);
    }

    /// @inheritdoc IPossessionProofs
    function slashForService(uint32 providerId, uint16 bps) external returns (uint256 slashedWei) {
        if (msg.sender != _committee) revert NotAuthorized(msg.sender);
        if (bps > MAX_SERVICE_BPS) revert ServiceSlashTooLarge(bps, MAX_SERVICE_BPS);
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);
        (uint256 week, uint256 takenBps) = WeekBudget.take(_serviceWeeks[providerId], bps, MAX_SERVICE_BPS);
        if (takenBps == 0) revert ServiceBudgetSpent(providerId, MAX_SERVICE_BPS);
        _serviceWeeks[providerId] = week;
        slashedWei = _registry.slash(providerId, (_registry.collateralOf(providerId) * takenBps) / 10_000);
        // Booked before any miss that may still be reported, so that the owners' accumulator stays in order.
        uint32 period = finalBefore(providerId) - 1;
        // An inventory that is to begin is final up to there; who is appended meanwhile has no part in this.
        uint32 current = currentPeriod();
        if (period >= current) period = current - 1;
        emit ServiceSlashed(providerId, period, uint16(takenBps), slashedWei);
        _distribute(providerId, period, slashedWei, IPenaltyPolicy.Finder.None, address(0));
    }

    function _evict(uint32 providerId, uint32 period) private {
        _lines[providerId].flags |= EVICTED;
        _registry.evict(providerId, period);
    }

    function _requireReportable(uint32 providerId, uint32 period) private view {
        uint32 current = currentPeriod();
        if (uint256(period) + 2 > current || period < _firstReportable(current) || period < _lines[providerId].cursor) {
            revert WrongPeriod(period, current);
        }
        ReportsOpen memory open = reportsOpen;
        if (open.period < period + 2 || block.number <= uint256(open.blockNumber) + reportDelayBlocks) {
            revert ReportsNotOpen(period, open.period, uint256(open.blockNumber) + reportDelayBlocks + 1);
        }
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        if (isVoid(period)) revert PeriodIsVoid(period);
    }

    function _requireLive(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) private view {
        (,, uint64 pay,, uint32 from, uint32 until) = _market.slotForProof(dealId, slotIndex, providerId);
        if (pay == 0) revert NotTheProvidersSlot(dealId, slotIndex, providerId);
        if (period < from || period >= until) revert NotLive(dealId, slotIndex, period);
    }

    /// @return consecutive whether nothing but void periods lies between the last recorded miss and `period`
    function _requireInOrder(uint32 providerId, uint32 period) private view returns (bool consecutive) {
        uint32 first = _firstReportable(currentPeriod());
        uint32 cursor = _lines[providerId].cursor;
        if (cursor > first) first = cursor;
        uint32 lastMiss = _records[providerId].lastMissPeriod;
        consecutive = lastMiss != 0 && first <= lastMiss + 1;
        for (uint32 q = first; q < period; ++q) {
            if (_proven[providerId].get(q)) consecutive = false;
            else if (!isVoid(q)) revert OutOfOrder(providerId, period, q);
        }
    }

    function _provenSince(uint32 providerId, uint32 lastMissPeriod, uint32 period) private view returns (uint256) {
        if (lastMissPeriod == 0) return 0;
        uint32 from = lastMissPeriod + 1;
        if (period > MAX_DECAY_SPAN && from < period - MAX_DECAY_SPAN) from = period - MAX_DECAY_SPAN;
        return provenCount(providerId, from, period);
    }

    function _distribute(uint32 providerId, uint32 period, uint256 takenWei, IPenaltyPolicy.Finder kind, address finder) private {
        if (takenWei == 0) return;
        (uint256 fundWei, uint256 finderWei, uint256 ownersWei) = _policy.split(takenWei, kind);
        uint256 sharedWei = _share(providerId, period, ownersWei);
        fundWei += ownersWei - sharedWei;
        emit SlashSplit(providerId, period, fundWei, finderWei, sharedWei, sharedWei == 0 ? 0 : sharedWei / _lines[providerId].liveGwei);
        _market.bookSlash(finder, finderWei, fundWei, sharedWei);
    }

    // ---- views ----

    /// @inheritdoc IPossessionProofs
    function isProven(uint32 providerId, uint32 period) external view returns (bool) {
        return _proven[providerId].get(period);
    }

    /// @inheritdoc IPossessionProofs
    function settleable(uint32 providerId, uint32 from, uint32 until, uint32 maxPeriods)
        external
        view
        returns (uint32 to, uint256 proven)
    {
        to = _finalBefore(providerId);
        if (to > until) to = until;
        if (to <= from) return (from, 0);
        if (to - from > maxPeriods) to = from + maxPeriods;
        proven = _proven[providerId].count(from, to);
    }

    /// @inheritdoc IPossessionProofs
    function finalBefore(uint32 providerId) public view returns (uint32) {
        return _registry.evictedAtPeriod(providerId) != 0 ? type(uint32).max : _finalBefore(providerId);
    }

    /// @inheritdoc IPossessionProofs
    function penaltyRecord(uint32 providerId)
        external
        view
        returns (uint32 incidentMisses, uint32 incidents, uint32 lastMissPeriod, uint256 incidentCollateralWei)
    {
        MissRecord memory record = _records[providerId];
        return (record.incidentMisses, record.incidents, record.lastMissPeriod, record.incidentCollateralWei);
    }

    /// @inheritdoc IPossessionProofs
    function provenCount(uint32 providerId, uint32 from, uint32 to) public view returns (uint256) {
        return _proven[providerId].count(from, to);
    }

    function _finalBefore(uint32 providerId) private view returns (uint32 period) {
        uint32 current = currentPeriod();
        period = _firstReportable(current);
        uint32 cursor = _lines[providerId].cursor;
        if (cursor > period) period = cursor;
        while (period < current) {
            period = _proven[providerId].firstUnset(_void, period, current);
            if (period == current || !isVoid(period)) break;
            ++period;
        }
    }

    /// Oldest period that may still be reported in `current`.
    function _firstReportable(uint32 current) private view returns (uint32) {
        return current > reportWindowPeriods + 1 ? current - 1 - reportWindowPeriods : 1;
    }
}
