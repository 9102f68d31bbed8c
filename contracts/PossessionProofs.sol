// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
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

    struct Config {
        IProviderRegistry registry;
        IStorageMarket market;
        IPenaltyPolicy policy;
        IDrandBeacon beacon;
        uint64 genesisTime;
        uint64 periodSeconds;
        uint64 seedDelaySeconds;
        uint32 reportWindowPeriods;
        uint8 samplesPerProof;
    }

    /// One word: 56 | 56 | 56 | 32 | 32 | 8 | 8 = 248 bits.
    struct Line {
        uint56 lengthGwei;
        uint56 liveGwei;
        uint56 recordedLengthGwei;
        uint32 recordedPeriod;
        uint32 cursor;
        /// Whether the accumulator is nonzero: spares reading it on every append.
        bool slashed;
        /// Whether `_compactions` holds anything: spares reading it in every proof.
        bool compacted;
    }

    /// One word: 56 | 56 | 32 = 144 bits. What lies in [gapStart, gapEnd) has been moved left or was a hole.
    struct Compaction {
        uint56 gapStartGwei;
        uint56 gapEndGwei;
        uint32 period;
    }

    /// One word: 32 | 32 | 32 | 96 = 192 bits. The registry bounds collateral to 96 bits.
    struct MissRecord {
        uint32 incidentMisses;
        uint32 incidents;
        uint32 lastMissPeriod;
        uint96 incidentCollateralWei;
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

    /// Longest line; every start on it is below OFF_LINE_GWEI.
    uint256 public constant MAX_LENGTH_GWEI = type(uint48).max;
    /// @inheritdoc IPossessionProofs
    uint64 public constant override OFF_LINE_GWEI = type(uint48).max;
    /// Samples in one proof, holes included. With half of the line alive 256 draws fail once in 2^200.
    uint256 public constant MAX_DRAWS = 256;
    /// Proven periods looked at when incidents decay; older ones no longer change the result for any sane policy.
    uint32 public constant MAX_DECAY_SPAN = 4096;
    uint32 private constant MAX_REPORT_WINDOW = 256;

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
    mapping(uint32 providerId => MissRecord) private _records;
    mapping(uint32 providerId => Compaction) private _compactions;
    mapping(uint32 providerId => PeriodBitmap.Bitmap) private _proven;
    PeriodBitmap.Bitmap private _void;
    /// Owners' wei per gwei of pay, summed over misses up to and including the key.
    mapping(uint32 providerId => Checkpoints.Trace208) private _accWeiPerGwei;

    constructor(Config memory config) {
        // A beacon that is still in time must come while its period can be proven.
        uint256 latest = uint256(config.seedDelaySeconds) + config.beacon.roundSeconds() + config.beacon.maxLagSeconds();
        if (latest >= config.periodSeconds) revert InvalidConfig("periodSeconds");
        if (config.reportWindowPeriods == 0 || config.reportWindowPeriods > MAX_REPORT_WINDOW) {
            revert InvalidConfig("reportWindowPeriods");
        }
        if (config.samplesPerProof == 0) revert InvalidConfig("samplesPerProof");
        _registry = config.registry;
        _market = config.market;
        _policy = config.policy;
        _beacon = config.beacon;
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
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        uint64 length = lengthAt(providerId, period);
        if (length == 0) revert EmptyInventory(providerId);
        Challenge memory challenge = Challenge(seedOf(period), providerId, period, length, 0, 0);
        if (_lines[providerId].compacted) {
            Compaction memory compaction = _compactions[providerId];
            if (compaction.period == current) revert ForfeitedByCompaction(period);
            (challenge.gapStartGwei, challenge.gapEndGwei) = (compaction.gapStartGwei, compaction.gapEndGwei);
        }
        _checkSamples(challenge, samples);

        _proven[providerId].set(period);
        emit PeriodProven(providerId, period, msg.sender);
    }

    function _checkSamples(Challenge memory c, Sample[] calldata samples) private view {
        uint256 answered;
        uint256 used;
        for (uint256 draw; answered < samplesPerProof; ++draw) {
            if (draw == MAX_DRAWS) revert TooManyDraws(draw);
            uint256 point =
                uint256(keccak256(abi.encodePacked(c.seed, c.providerId, c.period, uint32(draw)))) % c.lengthGwei;
            if (point >= c.gapStartGwei && point < c.gapEndGwei) continue;
            if (used == samples.length) revert WrongSampleCount(samples.length, answered);
            if (_checkSample(c, draw, point, samples[used++])) ++answered;
        }
        if (used != samples.length) revert WrongSampleCount(samples.length, answered);
    }

    /// @return live false for a hole
    function _checkSample(Challenge memory c, uint256 draw, uint256 point, Sample calldata sample) private view returns (bool live) {
        (bytes32 root, uint32 owner, uint64 start, uint64 pay, uint64 leafCount, uint32 from, uint32 until) =
            _market.slotForProof(sample.dealId, sample.slotIndex);
        if (owner != c.providerId) revert NotTheProvidersSlot(sample.dealId, sample.slotIndex, c.providerId);
        if (point < start || point >= uint256(start) + pay) revert PointOutsideSlot(draw, point, start, uint256(start) + pay);

        live = from <= c.period && c.period < until;
        if (!live) {
            if (sample.proof.length != 0) revert SlotIsAHole(sample.dealId, sample.slotIndex);
            return false;
        }
        if (sample.proof.length == 0) revert SlotIsLive(sample.dealId, sample.slotIndex);
        uint256 expected = Sha256Merkle.LEAF_BYTES + 32 * Sha256Merkle.depth(leafCount);
        if (sample.proof.length != expected) revert InvalidProofLength(sample.proof.length, expected);
        uint256 leaf =
            uint256(keccak256(abi.encodePacked(c.seed, c.providerId, c.period, uint32(draw), "leaf"))) % leafCount;
        if (!Sha256Merkle.verify(root, leaf, sample.proof)) revert InvalidProof(draw, sample.dealId, sample.slotIndex);
    }

    // ---- misses ----

    /// @inheritdoc IPossessionProofs
    function reportMiss(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) external {
        _requireReportable(providerId, period);
        _requireLive(providerId, period, dealId, slotIndex);
        bool consecutive = _requireInOrder(providerId, period);
        _lines[providerId].cursor = period + 1;

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
        if (takenWei != 0) _distribute(providerId, period, takenWei);
        if (tier == IPenaltyPolicy.Tier.Destruction) _registry.evict(providerId, period);
    }

    /// @inheritdoc IPossessionProofs
    function voidPeriod(uint32 period) external {
        if (_void.get(period)) return;
        uint64 round = seedRound(period);
        if (_beacon.isOnTime(round)) revert SeedAvailable(period);
        if (!_beaconIsOverdue(round)) revert WrongPeriod(period, currentPeriod());
        _void.set(period);
        emit PeriodVoided(period);
    }

    function _requireReportable(uint32 providerId, uint32 period) private view {
        uint32 current = currentPeriod();
        if (uint256(period) + 2 > current || period < _firstReportable(current) || period < _lines[providerId].cursor) {
            revert WrongPeriod(period, current);
        }
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);
        if (_proven[providerId].get(period)) revert AlreadyProven(providerId, period);
        if (isVoid(period)) revert PeriodIsVoid(period);
    }

    function _requireLive(uint32 providerId, uint32 period, bytes32 dealId, uint8 slotIndex) private view {
        (, uint32 owner,,,, uint32 from, uint32 until) = _market.slotForProof(dealId, slotIndex);
        if (owner != providerId) revert NotTheProvidersSlot(dealId, slotIndex, providerId);
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

    function _distribute(uint32 providerId, uint32 period, uint256 takenWei) private {
        (uint256 fundWei, uint256 reporterWei, uint256 ownersWei) = _policy.split(takenWei);
        Line storage line = _lines[providerId];
        uint256 live = line.liveGwei;
        uint256 weiPerGwei = live == 0 ? 0 : ownersWei / live;
        // What does not divide goes to the fund, so that the parts are the whole.
        uint256 sharedWei = weiPerGwei * live;
        fundWei += ownersWei - sharedWei;
        Checkpoints.Trace208 storage acc = _accWeiPerGwei[providerId];
        // Each addend is below 2^96 and there are fewer than 2^32 periods.
        acc.push(period, acc.latest() + uint208(weiPerGwei));
        line.slashed = true;
        emit SlashSplit(providerId, period, fundWei, reporterWei, sharedWei, weiPerGwei);
        _market.bookSlash(msg.sender, reporterWei, fundWei, sharedWei);
    }

    // ---- inventory ----

    /// @inheritdoc IPossessionProofs
    function append(uint32 providerId, uint64 payGwei, uint32 fromPeriod)
        external
        onlyMarket
        returns (uint64 startGwei, uint256 accWeiPerGwei)
    {
        uint32 current = currentPeriod();
        Line memory line = _lines[providerId];
        uint256 newLength = uint256(line.lengthGwei) + payGwei;
        if (newLength > MAX_LENGTH_GWEI) revert LineIsFull(providerId, newLength, MAX_LENGTH_GWEI);
        startGwei = line.lengthGwei;
        _record(line, current);
        // An empty inventory owed nothing, and owes nothing until then; all it held before was final when it was taken out.
        if (line.liveGwei == 0 && line.cursor < fromPeriod) line.cursor = fromPeriod;
        line.lengthGwei = uint56(newLength);
        line.liveGwei += uint56(payGwei);
        _lines[providerId] = line;
        if (line.slashed) accWeiPerGwei = _accWeiPerGwei[providerId].latest();
    }

    /// @inheritdoc IPossessionProofs
    function remove(uint32 providerId, uint64 payGwei, uint256 accAtAppend, uint32 fromPeriod, uint32 toPeriod)
        external
        onlyMarket
        returns (uint256 totalWeiPerGwei, uint256 ownerWeiPerGwei)
    {
        Line storage line = _lines[providerId];
        line.liveGwei -= uint56(payGwei);
        if (!line.slashed) return (0, 0);
        Checkpoints.Trace208 storage acc = _accWeiPerGwei[providerId];
        totalWeiPerGwei = acc.latest() - accAtAppend;
        if (totalWeiPerGwei != 0 && fromPeriod < toPeriod) {
            ownerWeiPerGwei = acc.upperLookupRecent(toPeriod - 1) - acc.upperLookupRecent(fromPeriod - 1);
        }
    }

    /// @inheritdoc IPossessionProofs
    function compact(uint32 providerId, uint32 period, SlotRef[] calldata slots) external {
        uint32 current = currentPeriod();
        if (period != current) revert WrongPeriod(period, current);
        (address operator,, uint32 evictedAt) = _registry.signerOf(providerId);
        if (msg.sender != operator && msg.sender != _registry.ownerOf(providerId)) revert NotAuthorized(msg.sender);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);

        Line memory line = _lines[providerId];
        Compaction memory pass = _compactions[providerId];
        if (pass.gapEndGwei == 0 && slots.length != 0) {
            (,, uint64 first,,,,) = _market.slotForProof(slots[0].dealId, slots[0].slotIndex);
            // One that is off the line fails below, at the end of the line.
            (pass.gapStartGwei, pass.gapEndGwei) = (uint56(first), uint56(first));
        }
        for (uint256 i; i < slots.length; ++i) _shift(providerId, period, pass, slots[i]);
        _record(line, current);
        if (pass.gapEndGwei >= line.lengthGwei) {
            line.lengthGwei = pass.gapStartGwei;
            (pass.gapStartGwei, pass.gapEndGwei) = (0, 0);
        }
        pass.period = current;
        line.compacted = true;
        _lines[providerId] = line;
        _compactions[providerId] = pass;
        emit LineCompacted(providerId, pass.gapStartGwei, pass.gapEndGwei, line.lengthGwei);
    }

    /// Takes the interval behind the gap: drops it when it is a hole for good, else puts it before the gap.
    function _shift(uint32 providerId, uint32 period, Compaction memory pass, SlotRef calldata ref) private {
        (, uint32 owner, uint64 start, uint64 pay,,, uint32 until) = _market.slotForProof(ref.dealId, ref.slotIndex);
        if (owner != providerId) revert NotTheProvidersSlot(ref.dealId, ref.slotIndex, providerId);
        if (start != pass.gapEndGwei || start == OFF_LINE_GWEI) {
            revert NotNextOnLine(ref.dealId, ref.slotIndex, start, pass.gapEndGwei);
        }
        pass.gapEndGwei += uint56(pay);
        uint64 to = OFF_LINE_GWEI;
        if (until > period) {
            to = pass.gapStartGwei;
            pass.gapStartGwei += uint56(pay);
            if (to == start) return;
        }
        _market.moveInterval(ref.dealId, ref.slotIndex, to);
        emit IntervalMoved(providerId, ref.dealId, ref.slotIndex, to);
    }

    /// Keeps the length at the close of the last period, before the first change in `current`.
    function _record(Line memory line, uint32 current) private pure {
        if (line.recordedPeriod == current - 1) return;
        line.recordedPeriod = current - 1;
        line.recordedLengthGwei = line.lengthGwei;
    }

    // ---- views ----

    /// @inheritdoc IPossessionProofs
    function compactionOf(uint32 providerId) external view returns (uint64 gapStartGwei, uint64 gapEndGwei, uint32 period) {
        Compaction memory pass = _compactions[providerId];
        return (pass.gapStartGwei, pass.gapEndGwei, pass.period);
    }

    /// @inheritdoc IPossessionProofs
    function isProven(uint32 providerId, uint32 period) external view returns (bool) {
        return _proven[providerId].get(period);
    }

    /// @inheritdoc IPossessionProofs
    function finalBefore(uint32 providerId) external view returns (uint32 period) {
        if (_registry.evictedAtPeriod(providerId) != 0) return type(uint32).max;
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

    /// @inheritdoc IPossessionProofs
    function inventory(uint32 providerId) external view returns (Inventory memory) {
        Line memory line = _lines[providerId];
        return Inventory(line.lengthGwei, line.liveGwei, line.recordedLengthGwei, line.recordedPeriod, line.cursor);
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
    function periodBounds(uint32 period) external view returns (uint256 open, uint256 close) {
        close = _closeOf(period);
        open = close - periodSeconds;
    }

    /// @inheritdoc IPossessionProofs
    function currentPeriod() public view returns (uint32) {
        return periodOf(block.timestamp);
    }

    /// @inheritdoc IPossessionProofs
    function periodOf(uint256 timestamp) public view returns (uint32) {
        if (timestamp < genesisTime) revert BeforeGenesis(timestamp, genesisTime);
        return uint32((timestamp - genesisTime) / periodSeconds + 1);
    }

    /// @inheritdoc IPossessionProofs
    function seedRound(uint32 period) public view returns (uint64) {
        return _beacon.firstRoundAfter(_closeOf(period) + seedDelaySeconds);
    }

    /// @inheritdoc IPossessionProofs
    function seedOf(uint32 period) public view returns (bytes32) {
        uint64 round = seedRound(period);
        if (!_beacon.isOnTime(round)) revert SeedUnavailable(period, round);
        return _beacon.randomness(round);
    }

    /// @inheritdoc IPossessionProofs
    function isVoid(uint32 period) public view returns (bool) {
        if (_void.get(period)) return true;
        uint64 round = seedRound(period);
        return _beaconIsOverdue(round) && !_beacon.isOnTime(round);
    }

    /// @inheritdoc IPossessionProofs
    function provenCount(uint32 providerId, uint32 from, uint32 to) public view returns (uint256) {
        return _proven[providerId].countExcept(_void, from, to);
    }

    /// @inheritdoc IPossessionProofs
    function lengthAt(uint32 providerId, uint32 period) public view returns (uint64) {
        Line memory line = _lines[providerId];
        return line.recordedPeriod >= period && line.recordedPeriod != 0 ? line.recordedLengthGwei : line.lengthGwei;
    }

    function _closeOf(uint32 period) private view returns (uint256) {
        return uint256(genesisTime) + uint256(period) * periodSeconds;
    }

    function _beaconIsOverdue(uint64 round) private view returns (bool) {
        return block.timestamp > _beacon.timeOfRound(round) + _beacon.maxLagSeconds();
    }

    /// Oldest period that may still be reported in `current`.
    function _firstReportable(uint32 current) private view returns (uint32) {
        return current > reportWindowPeriods + 1 ? current - 1 - reportWindowPeriods : 1;
    }
}
