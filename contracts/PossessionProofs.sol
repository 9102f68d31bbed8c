// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {PeriodBitmap} from "./libraries/PeriodBitmap.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";

/// @title See IPossessionProofs, the manual.
contract PossessionProofs is IPossessionProofs {
    using Checkpoints for Checkpoints.Trace208;
    using PeriodBitmap for PeriodBitmap.Bitmap;
    using SafeCast for uint256;

    struct Config {
        address registry;
        address market;
        address policy;
        address beacon;
        uint64 genesisTime;
        uint64 periodSeconds;
        uint64 seedDelaySeconds;
        uint32 reportWindowPeriods;
        uint8 samplesPerProof;
    }

    /// One word: length 56 | live 56 | recorded length 56 | recorded period 32 | cursor 32 (232 bits).
    struct Line {
        uint56 lengthGwei;
        uint56 liveGwei;
        uint56 recordedLengthGwei;
        uint32 recordedPeriod;
        uint32 cursor;
    }

    /// Bounds the loops over periods.
    uint32 private constant REPORT_WINDOW_MAX = 256;
    /// Bounds redraws; with half of the line alive, missing 5 samples in 256 draws is beyond chance.
    uint256 private constant DRAWS_MAX = 256;

    IProviderRegistry private immutable _registry;
    IStorageMarket private immutable _market;
    IPenaltyPolicy private immutable _policy;
    IDrandBeacon private immutable _beacon;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override genesisTime;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override periodSeconds;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override seedDelaySeconds;
    /// @inheritdoc IPossessionProofs
    uint32 public immutable override reportWindowPeriods;
    /// @inheritdoc IPossessionProofs
    uint8 public immutable override samplesPerProof;

    mapping(uint32 providerId => Line) private _lines;
    mapping(uint32 providerId => PeriodBitmap.Bitmap) private _proven;
    mapping(uint32 providerId => IPenaltyPolicy.Record) private _records;
    /// Owners' part of slashes per gwei of pay, summed up, keyed by the missed period.
    mapping(uint32 providerId => Checkpoints.Trace208) private _slashedPerGwei;
    PeriodBitmap.Bitmap private _void;

    error InvalidConfig(string field);

    constructor(Config memory config) {
        if (config.periodSeconds == 0) revert InvalidConfig("periodSeconds");
        if (config.seedDelaySeconds >= config.periodSeconds) revert InvalidConfig("seedDelaySeconds");
        if (config.samplesPerProof == 0 || config.samplesPerProof > 16) revert InvalidConfig("samplesPerProof");
        if (config.reportWindowPeriods < 4 || config.reportWindowPeriods > REPORT_WINDOW_MAX) {
            revert InvalidConfig("reportWindowPeriods");
        }
        _registry = IProviderRegistry(config.registry);
        _market = IStorageMarket(config.market);
        _policy = IPenaltyPolicy(config.policy);
        _beacon = IDrandBeacon(config.beacon);
        genesisTime = config.genesisTime;
        periodSeconds = config.periodSeconds;
        seedDelaySeconds = config.seedDelaySeconds;
        reportWindowPeriods = config.reportWindowPeriods;
        samplesPerProof = config.samplesPerProof;
    }

    modifier onlyMarket() {
        if (msg.sender != address(_market)) revert NotAuthorized(msg.sender);
        _;
    }

    // ---- proofs ----

    /// @inheritdoc IPossessionProofs
    function proveWithBeacon(
        uint32 providerId,
        uint32 period,
        Sample[] calldata samples,
        uint64 round,
        bytes calldata signature
    ) external {
        if (_beacon.randomness(round) == 0) _beacon.submit(round, signature);
        _prove(providerId, period, samples);
    }

    /// @inheritdoc IPossessionProofs
    function prove(uint32 providerId, uint32 period, Sample[] calldata samples) external {
        _prove(providerId, period, samples);
    }

    function _prove(uint32 providerId, uint32 period, Sample[] calldata samples) private {
        uint32 current = currentPeriod();
        if (current != period + 1) revert WrongPeriod(period, current);
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        uint32 evicted = _registry.evictedAtPeriod(providerId);
        if (evicted != 0) revert ProviderGone(providerId, evicted);

        _answer(providerId, period, samples);
        _proven[providerId].set(period);
        emit PeriodProven(providerId, period, msg.sender);
    }

    function _answer(uint32 providerId, uint32 period, Sample[] calldata samples) private view {
        bytes32 seed = seedOf(period);
        uint256 length = lengthAt(providerId, period);
        if (length == 0) revert EmptyInventory(providerId);
        if (samples.length > DRAWS_MAX) revert TooManyDraws(samples.length);

        uint256 answered;
        for (uint256 draw; draw < samples.length; ++draw) {
            // Samples after the last one that was asked for would be unchecked ballast.
            if (answered == samplesPerProof) revert WrongSampleCount(samples.length, draw);
            bytes32 h = keccak256(abi.encodePacked(seed, providerId, period, uint32(draw)));
            if (_checkSample(providerId, period, draw, uint256(h) % length, seed, samples[draw])) ++answered;
        }
        if (answered != samplesPerProof) revert WrongSampleCount(samples.length, answered);
    }

    /// True for an answered sample, false for a hole.
    function _checkSample(
        uint32 providerId,
        uint32 period,
        uint256 draw,
        uint256 point,
        bytes32 seed,
        Sample calldata sample
    ) private view returns (bool) {
        (
            bytes32 root,
            uint32 holder,
            uint64 startGwei,
            uint64 payGwei,
            uint64 leafCount,
            uint32 fromPeriod,
            uint32 liveUntil
        ) = _market.slotForProof(sample.dealId, sample.slotIndex);
        if (holder != providerId) revert NotTheProvidersSlot(sample.dealId, sample.slotIndex, holder);
        if (point < startGwei || point >= uint256(startGwei) + payGwei) {
            revert PointOutsideSlot(draw, point, startGwei, uint256(startGwei) + payGwei);
        }
        bool live = fromPeriod <= period && period < liveUntil;
        if (!live) {
            if (sample.proof.length != 0) revert SlotIsAHole(sample.dealId, sample.slotIndex);
            return false;
        }
        if (sample.proof.length == 0) revert SlotIsLive(sample.dealId, sample.slotIndex);

        uint256 expected = Sha256Merkle.LEAF_BYTES + 32 * Sha256Merkle.depth(leafCount);
        if (sample.proof.length != expected) revert InvalidProofLength(sample.proof.length, expected);
        uint256 leaf = uint256(keccak256(abi.encodePacked(seed, providerId, period, uint32(draw), "leaf"))) % leafCount;
        if (!Sha256Merkle.verify(root, leaf, sample.proof)) revert InvalidProof(draw, sample.dealId, sample.slotIndex);
        return true;
    }

    // ---- misses ----

    /// @inheritdoc IPossessionProofs
    function voidPeriod(uint32 period) external {
        if (!isVoid(period)) revert SeedAvailable(period);
        if (_void.get(period)) return;
        _void.set(period);
        emit PeriodVoided(period);
    }

    /// @inheritdoc IPossessionProofs
    function reportMiss(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) external {
        _checkReportable(providerId, period, dealId, slotIndex);
        _lines[providerId].cursor = period + 1;

        uint256 collateral = _registry.collateralOf(providerId);
        (IPenaltyPolicy.Tier tier, uint256 slashWei) = _assess(providerId, period, collateral);
        uint256 takenWei;
        if (slashWei > 0) {
            takenWei = _registry.slash(providerId, slashWei);
            _split(providerId, period, takenWei);
        }
        emit PeriodMissed(providerId, period, uint8(tier), _records[providerId].incidentMisses, takenWei, msg.sender);
        if (tier == IPenaltyPolicy.Tier.Destruction) _registry.evict(providerId, period);
    }

    function _checkReportable(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) private view {
        uint32 current = currentPeriod();
        uint32 oldest = _oldestReportable(providerId, current);
        if (current < period + 2 || period < oldest) revert WrongPeriod(period, current);
        for (uint32 q = oldest; q < period; ++q) {
            if (!_proven[providerId].get(q) && !isVoid(q)) revert OutOfOrder(providerId, period, q);
        }
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        if (isVoid(period)) revert PeriodIsVoid(period);
        (, uint32 holder,,,, uint32 fromPeriod, uint32 liveUntil) = _market.slotForProof(dealId, slotIndex);
        if (holder != providerId) revert NotTheProvidersSlot(dealId, slotIndex, holder);
        if (period < fromPeriod || period >= liveUntil) revert NotLive(dealId, slotIndex, period);
    }

    function _assess(uint32 providerId, uint32 period, uint256 collateral)
        private
        returns (IPenaltyPolicy.Tier tier, uint256 slashWei)
    {
        IPenaltyPolicy.Record memory record = _records[providerId];
        uint32 last = record.lastMissPeriod;
        uint256 provenSince = last == 0 ? 0 : _proven[providerId].countExcept(_void, last + 1, period);
        bool consecutive = last != 0 && _onlyVoidBetween(last + 1, period);
        (tier, slashWei, record) = _policy.assess(record, period, consecutive, provenSince, collateral);
        _records[providerId] = record;
    }

    /// Whether [from, to) has no period that counted; long gaps end an incident.
    function _onlyVoidBetween(uint32 from, uint32 to) private view returns (bool) {
        if (to - from > REPORT_WINDOW_MAX) return false;
        for (uint32 q = from; q < to; ++q) {
            if (!isVoid(q)) return false;
        }
        return true;
    }

    function _split(uint32 providerId, uint32 period, uint256 takenWei) private {
        (uint256 fundWei, uint256 reporterWei, uint256 ownersWei) = _policy.split(takenWei);
        uint256 live = _lines[providerId].liveGwei;
        uint256 weiPerGwei = live == 0 ? 0 : ownersWei / live;
        // What cannot be shared evenly goes to the fund, so that the parts sum to the whole.
        fundWei += ownersWei - weiPerGwei * live;
        ownersWei = weiPerGwei * live;

        Checkpoints.Trace208 storage trace = _slashedPerGwei[providerId];
        trace.push(period, (uint256(trace.latest()) + weiPerGwei).toUint208());
        emit SlashSplit(providerId, period, fundWei, reporterWei, ownersWei, weiPerGwei);
        _market.bookSlash(msg.sender, reporterWei, fundWei, ownersWei);
    }

    // ---- inventory ----

    /// @inheritdoc IPossessionProofs
    function append(uint32 providerId, uint64 payGwei) external onlyMarket returns (uint64 startGwei, uint256 accWeiPerGwei) {
        Line memory line = _recorded(providerId);
        startGwei = line.lengthGwei;
        line.lengthGwei = (uint256(startGwei) + payGwei).toUint56();
        line.liveGwei += uint56(payGwei);
        if (line.cursor == 0) line.cursor = currentPeriod();
        _lines[providerId] = line;
        accWeiPerGwei = _slashedPerGwei[providerId].latest();
    }

    /// @inheritdoc IPossessionProofs
    function remove(uint32 providerId, uint64 payGwei, uint256 accAtAppend, uint32 fromPeriod, uint32 toPeriod)
        external
        onlyMarket
        returns (uint256 totalWeiPerGwei, uint256 ownerWeiPerGwei)
    {
        Checkpoints.Trace208 storage trace = _slashedPerGwei[providerId];
        _lines[providerId].liveGwei -= uint56(payGwei);
        totalWeiPerGwei = trace.latest() - accAtAppend;
        if (totalWeiPerGwei == 0 || toPeriod <= fromPeriod) return (totalWeiPerGwei, 0);
        uint256 before = trace.upperLookup(fromPeriod - 1);
        if (before < accAtAppend) before = accAtAppend;
        uint256 upTo = trace.upperLookup(toPeriod - 1);
        if (upTo > before) ownerWeiPerGwei = upTo - before;
    }

    /// The line, its length at the last close written down if this is the first change since.
    function _recorded(uint32 providerId) private view returns (Line memory line) {
        line = _lines[providerId];
        uint32 closed = currentPeriod() - 1;
        if (line.recordedPeriod != closed) {
            line.recordedPeriod = closed;
            line.recordedLengthGwei = line.lengthGwei;
        }
    }

    // ---- periods and seeds ----

    /// @inheritdoc IPossessionProofs
    function currentPeriod() public view returns (uint32) {
        return periodOf(block.timestamp);
    }

    /// @inheritdoc IPossessionProofs
    function periodOf(uint256 timestamp) public view returns (uint32) {
        // Counted from 1, so that 0 can mean "none".
        return ((timestamp - genesisTime) / periodSeconds + 1).toUint32();
    }

    /// @inheritdoc IPossessionProofs
    function periodBounds(uint32 period) public view returns (uint256 open, uint256 close) {
        open = genesisTime + uint256(period - 1) * periodSeconds;
        close = open + periodSeconds;
    }

    /// @inheritdoc IPossessionProofs
    function seedRound(uint32 period) public view returns (uint64) {
        (, uint256 close) = periodBounds(period);
        return _beacon.firstRoundAfter(close + seedDelaySeconds);
    }

    /// @inheritdoc IPossessionProofs
    function seedOf(uint32 period) public view returns (bytes32) {
        uint64 round = seedRound(period);
        if (_void.get(period) || !_beacon.isOnTime(round)) revert SeedUnavailable(period, round);
        return _beacon.randomness(round);
    }

    /// @inheritdoc IPossessionProofs
    function isVoid(uint32 period) public view returns (bool) {
        if (_void.get(period)) return true;
        uint64 round = seedRound(period);
        return block.timestamp > _beacon.timeOfRound(round) + _beacon.maxLagSeconds() && !_beacon.isOnTime(round);
    }

    // ---- views ----

    /// @inheritdoc IPossessionProofs
    function lengthAt(uint32 providerId, uint32 period) public view returns (uint64) {
        Line storage line = _lines[providerId];
        return line.recordedPeriod == period ? line.recordedLengthGwei : line.lengthGwei;
    }

    /// @inheritdoc IPossessionProofs
    function isProven(uint32 providerId, uint32 period) external view returns (bool) {
        return _proven[providerId].get(period);
    }

    /// @inheritdoc IPossessionProofs
    function provenCount(uint32 providerId, uint32 from, uint32 to) external view returns (uint256) {
        return _proven[providerId].countExcept(_void, from, to);
    }

    /// @inheritdoc IPossessionProofs
    function finalBefore(uint32 providerId) external view returns (uint32) {
        uint32 current = currentPeriod();
        if (current < 2) return 0;
        if (_registry.evictedAtPeriod(providerId) != 0) return current - 1;
        for (uint32 q = _oldestReportable(providerId, current); q + 1 < current; ++q) {
            if (!_proven[providerId].get(q) && !isVoid(q)) return q;
        }
        return current - 1;
    }

    /// @inheritdoc IPossessionProofs
    function inventory(uint32 providerId) external view returns (Inventory memory) {
        Line memory line = _lines[providerId];
        return Inventory(line.lengthGwei, line.liveGwei, line.recordedLengthGwei, line.recordedPeriod, line.cursor);
    }

    /// @inheritdoc IPossessionProofs
    function penaltyRecord(uint32 providerId) external view returns (uint32, uint32, uint32, uint256) {
        IPenaltyPolicy.Record memory r = _records[providerId];
        return (r.incidentMisses, r.incidents, r.lastMissPeriod, r.incidentCollateralWei);
    }

    function _oldestReportable(uint32 providerId, uint32 current) private view returns (uint32) {
        uint32 cursor = _lines[providerId].cursor;
        uint32 oldest = current > reportWindowPeriods ? current - reportWindowPeriods : 1;
        return cursor > oldest ? cursor : oldest;
    }
}
