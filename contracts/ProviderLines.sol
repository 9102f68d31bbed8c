// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Periods} from "./Periods.sol";

/// @title Providers' lines: intervals, holes, compaction, locked collateral and owners' parts of slashes
/// @dev Part of PossessionProofs, apart because what is on a line is one thing and who proved it another.
abstract contract ProviderLines is Periods {
    using Checkpoints for Checkpoints.Trace208;

    /// One word: 48 | 48 | 48 | 24 | 24 | 56 | 8 = 256 bits.
    struct Line {
        uint48 lengthGwei;
        uint48 liveGwei;
        uint48 recordedLengthGwei;
        uint24 recordedPeriod;
        uint24 cursor;
        uint56 lockedGwei;
        /// `SLASHED`, `COMPACTED`, `EVICTED`.
        uint8 flags;
    }

    /// One word: 56 | 56 | 32 = 144 bits. What lies in [gapStart, gapEnd) has been moved left or was a hole.
    struct Compaction {
        uint56 gapStartGwei;
        uint56 gapEndGwei;
        uint32 period;
    }

    /// Longest line; every start on it is below OFF_LINE_GWEI.
    uint256 public constant MAX_LENGTH_GWEI = type(uint48).max - 1;
    /// @inheritdoc IPossessionProofs
    uint64 public constant override OFF_LINE_GWEI = type(uint48).max;
    /// The accumulator is nonzero: spares reading it on every append.
    uint8 internal constant SLASHED = 1;
    /// `_compactions` holds something: spares reading it in every proof.
    uint8 internal constant COMPACTED = 2;
    /// The registry's word, which only this contract writes: spares a proof asking for it.
    uint8 internal constant EVICTED = 4;

    IProviderRegistry internal immutable _registry;
    IStorageMarket internal immutable _market;

    mapping(uint32 providerId => Line) internal _lines;
    mapping(uint32 providerId => Compaction) internal _compactions;
    /// Owners' wei per gwei of pay, summed over misses up to and including the key.
    mapping(uint32 providerId => Checkpoints.Trace208) private _accWeiPerGwei;

    constructor(IProviderRegistry registry, IStorageMarket market) {
        _registry = registry;
        _market = market;
    }

    modifier onlyMarket() {
        if (msg.sender != address(_market)) revert NotAuthorized(msg.sender);
        _;
    }

    /// @inheritdoc IPossessionProofs
    function append(uint32 providerId, uint64 payGwei, uint64 lockGwei, uint64 collateralGwei, uint32 fromPeriod)
        external
        onlyMarket
        returns (uint64 startGwei, uint256 accWeiPerGwei)
    {
        Line memory line = _lines[providerId];
        uint256 newLength = uint256(line.lengthGwei) + payGwei;
        if (newLength > MAX_LENGTH_GWEI) revert LineIsFull(providerId, newLength, MAX_LENGTH_GWEI);
        uint256 newLocked = uint256(line.lockedGwei) + lockGwei;
        if (newLocked > collateralGwei) revert InsufficientCollateral(providerId, newLocked, collateralGwei);
        startGwei = line.lengthGwei;
        _record(line, currentPeriod());
        // An empty inventory owed nothing, and owes nothing until then; all it held before was final when it was taken out.
        // A slot that begins in the running period, after one that begins in the next: the running one is owed after all.
        if (line.liveGwei == 0 ? line.cursor < fromPeriod : line.cursor > fromPeriod) line.cursor = uint24(fromPeriod);
        line.lengthGwei = uint48(newLength);
        line.liveGwei += uint48(payGwei);
        line.lockedGwei = uint56(newLocked);
        _lines[providerId] = line;
        if (line.flags & SLASHED != 0) accWeiPerGwei = _accWeiPerGwei[providerId].latest();
    }

    /// @inheritdoc IPossessionProofs
    function remove(uint32 providerId, uint64 payGwei, uint64 lockGwei, uint32 fromPeriod, uint32 toPeriod)
        external
        onlyMarket
        returns (uint256 accWeiPerGwei, uint256 ownerWeiPerGwei)
    {
        Line storage line = _lines[providerId];
        line.liveGwei -= uint48(payGwei);
        line.lockedGwei -= uint56(lockGwei);
        if (line.flags & SLASHED == 0) return (0, 0);
        Checkpoints.Trace208 storage acc = _accWeiPerGwei[providerId];
        accWeiPerGwei = acc.latest();
        if (fromPeriod < toPeriod) {
            ownerWeiPerGwei = acc.upperLookupRecent(toPeriod - 1) - acc.upperLookupRecent(fromPeriod - 1);
        }
    }

    /// @inheritdoc IPossessionProofs
    function compact(uint32 providerId, uint32 period, SlotRef[] calldata slots) external {
        uint32 current = currentPeriod();
        if (period != current) revert WrongPeriod(period, current);
        if (!_isProvidersOwn(providerId, msg.sender)) revert NotAuthorized(msg.sender);
        uint32 evictedAt = _registry.evictedAtPeriod(providerId);
        if (evictedAt != 0) revert ProviderGone(providerId, evictedAt);

        Line memory line = _lines[providerId];
        Compaction memory pass = _compactions[providerId];
        if (pass.gapEndGwei == 0 && slots.length != 0) {
            (, uint64 first,,,,) = _market.slotForProof(slots[0].dealId, slots[0].slotIndex, providerId);
            // One that is off the line fails below, at the end of the line.
            (pass.gapStartGwei, pass.gapEndGwei) = (uint56(first), uint56(first));
        }
        for (uint256 i; i < slots.length; ++i) _shift(providerId, period, pass, slots[i]);
        _record(line, current);
        if (pass.gapEndGwei >= line.lengthGwei) {
            line.lengthGwei = uint48(pass.gapStartGwei);
            (pass.gapStartGwei, pass.gapEndGwei) = (0, 0);
        }
        pass.period = current;
        line.flags |= COMPACTED;
        _lines[providerId] = line;
        _compactions[providerId] = pass;
        emit LineCompacted(providerId, pass.gapStartGwei, pass.gapEndGwei, line.lengthGwei);
    }

    /// Takes the interval behind the gap: drops it when it is a hole for good, else puts it before the gap.
    function _shift(uint32 providerId, uint32 period, Compaction memory pass, SlotRef calldata ref) private {
        (, uint64 start, uint64 pay,,, uint32 until) = _market.slotForProof(ref.dealId, ref.slotIndex, providerId);
        if (pay == 0) revert NotTheProvidersSlot(ref.dealId, ref.slotIndex, providerId);
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
        _market.moveInterval(ref.dealId, ref.slotIndex, providerId, to);
        emit IntervalMoved(providerId, ref.dealId, ref.slotIndex, to);
    }

    /// Keeps the length at the close of the last period, before the first change in `current`.
    function _record(Line memory line, uint32 current) private pure {
        if (line.recordedPeriod == current - 1) return;
        line.recordedPeriod = uint24(current - 1);
        line.recordedLengthGwei = line.lengthGwei;
    }

    /// Splits what was taken from a provider for `period`: owners get theirs by pay, what does not divide goes to the fund, so that
    /// the parts are the whole.
    function _share(uint32 providerId, uint32 period, uint256 ownersWei) internal returns (uint256 sharedWei) {
        Line storage line = _lines[providerId];
        uint256 live = line.liveGwei;
        uint256 weiPerGwei = live == 0 ? 0 : ownersWei / live;
        sharedWei = weiPerGwei * live;
        if (weiPerGwei == 0) return 0;
        Checkpoints.Trace208 storage acc = _accWeiPerGwei[providerId];
        // Keys never fall; a slash of an earlier period than one before it counts for the later one. Each addend is below 2^96
        // and there are fewer than 2^24 periods with a few slashes each.
        (bool exists, uint48 newest,) = acc.latestCheckpoint();
        if (exists && newest > period) period = uint32(newest);
        acc.push(period, acc.latest() + uint208(weiPerGwei));
        line.flags |= SLASHED;
    }

    function _isProvidersOwn(uint32 providerId, address account) internal view returns (bool) {
        (address operator,,,) = _registry.signerOf(providerId);
        return account == operator || account == _registry.ownerOf(providerId);
    }

    // ---- views ----

    /// @inheritdoc IPossessionProofs
    function inventory(uint32 providerId) external view returns (Inventory memory) {
        Line memory line = _lines[providerId];
        return Inventory(
            line.lengthGwei, line.liveGwei, line.recordedLengthGwei, line.recordedPeriod, line.cursor, line.lockedGwei
        );
    }

    /// @inheritdoc IPossessionProofs
    function lockedGweiOf(uint32 providerId) external view returns (uint64) {
        return _lines[providerId].lockedGwei;
    }

    /// @inheritdoc IPossessionProofs
    function compactionOf(uint32 providerId) external view returns (uint64 gapStartGwei, uint64 gapEndGwei, uint32 period) {
        Compaction memory pass = _compactions[providerId];
        return (pass.gapStartGwei, pass.gapEndGwei, pass.period);
    }

    /// @inheritdoc IPossessionProofs
    function lengthAt(uint32 providerId, uint32 period) external view returns (uint64) {
        return _lengthAt(_lines[providerId], period);
    }

    function _lengthAt(Line memory line, uint32 period) internal pure returns (uint64) {
        return line.recordedPeriod >= period && line.recordedPeriod != 0 ? line.recordedLengthGwei : line.lengthGwei;
    }
}
