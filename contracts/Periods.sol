// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {PeriodBitmap} from "./libraries/PeriodBitmap.sol";

/// @title Time, seeds and void periods
/// @dev Part of PossessionProofs, apart because it knows nothing of providers.
abstract contract Periods is IPossessionProofs {
    using PeriodBitmap for PeriodBitmap.Bitmap;

    IDrandBeacon internal immutable _beacon;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override genesisTime;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override periodSeconds;
    /// @inheritdoc IPossessionProofs
    uint64 public immutable override seedDelaySeconds;
    uint256 private immutable _maxLagSeconds;

    PeriodBitmap.Bitmap internal _void;
    /// Periods of which a miss was recorded: too late to show a halt.
    PeriodBitmap.Bitmap internal _reported;

    constructor(IDrandBeacon beacon, uint64 genesisTime_, uint64 periodSeconds_, uint64 seedDelaySeconds_) {
        // A beacon that is still in time must come while its period can be proven.
        uint256 latest = uint256(seedDelaySeconds_) + beacon.roundSeconds() + beacon.maxLagSeconds();
        if (latest >= periodSeconds_) revert InvalidConfig("periodSeconds");
        _beacon = beacon;
        genesisTime = genesisTime_;
        periodSeconds = periodSeconds_;
        seedDelaySeconds = seedDelaySeconds_;
        _maxLagSeconds = beacon.maxLagSeconds();
    }

    /// @inheritdoc IPossessionProofs
    function voidPeriod(uint32 period) external {
        if (_void.get(period)) return;
        (uint64 round, bytes32 seed) = _beacon.seedAfter(_closeOf(period) + seedDelaySeconds);
        if (seed != 0) revert SeedAvailable(period);
        if (!_isOverdue(round)) revert WrongPeriod(period, currentPeriod());
        _void.set(period);
        emit PeriodVoided(period);
    }

    /// @inheritdoc IPossessionProofs
    function voidHaltedPeriod(uint32 period, bytes calldata parentHeader, bytes calldata header) external {
        if (_void.get(period)) return;
        // Before that it may still be proven.
        if (currentPeriod() < uint256(period) + 2) revert WrongPeriod(period, currentPeriod());
        if (_reported.get(period)) revert MissAlreadyReported(period);
        (uint256 from, uint256 to) = _stillBetween(parentHeader, header);
        // What of the halt lies in the time to prove: [close(period), close(period + 1)).
        uint256 open = _closeOf(period);
        uint256 close = open + periodSeconds;
        if (from < open) from = open;
        if (to > close) to = close;
        uint256 needed = periodSeconds / 2 + 1;
        if (to < from + needed) revert NotAHalt(from, to, needed);
        _void.set(period);
        emit PeriodVoided(period);
    }

    /// Timestamps of two consecutive blocks of this chain.
    function _stillBetween(bytes calldata parentHeader, bytes calldata header) private view returns (uint256 from, uint256 to) {
        bytes memory parent = parentHeader;
        bytes memory child = header;
        Memory.Slice[] memory fields = BlockHeader.parseHeader(child);
        bool known = BlockHeader.verifyBlockHeader(fields, keccak256(child));
        if (!known || BlockHeader.getParentHash(fields) != keccak256(parent)) revert InvalidHeader(BlockHeader.getNumber(fields));
        return (BlockHeader.getTimestamp(parent), BlockHeader.getTimestamp(fields));
    }

    // ---- views ----

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
    function seedOf(uint32 period) public view returns (bytes32 seed) {
        uint64 round;
        (round, seed) = _beacon.seedAfter(_closeOf(period) + seedDelaySeconds);
        if (seed == 0) revert SeedUnavailable(period, round);
    }

    /// @inheritdoc IPossessionProofs
    function isVoid(uint32 period) public view returns (bool) {
        if (_void.get(period)) return true;
        (uint64 round, bytes32 seed) = _beacon.seedAfter(_closeOf(period) + seedDelaySeconds);
        return seed == 0 && _isOverdue(round);
    }

    function _closeOf(uint32 period) internal view returns (uint256) {
        return uint256(genesisTime) + uint256(period) * periodSeconds;
    }

    function _isOverdue(uint64 round) private view returns (bool) {
        return block.timestamp > _beacon.timeOfRound(round) + _maxLagSeconds;
    }
}
