// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IVerifierCommittee} from "./interfaces/IVerifierCommittee.sol";
import {ScoreLanes} from "./libraries/ScoreLanes.sol";

/// @title The committee's rules: what is fixed, what may be tuned inside which bounds, and how terms lie in periods
/// @dev Part of VerifierCommittee. Time and committee sizes are fixed for good; amounts of money and thresholds may be tuned, because
/// the token's price and the network's quality move; finder's part, quorum and the slash for equivocation are in the bytecode.
abstract contract VerifierRules is IVerifierCommittee {
    using Checkpoints for Checkpoints.Trace224;

    uint256 internal constant BPS = 10_000;
    /// Smallest committee that bears a liar: a third of four is more than one.
    uint256 private constant SEATS_FLOOR = 4;
    /// Settlement looks at every period of both windows.
    uint256 private constant WINDOW_PERIODS_MAX = 48;
    uint256 private constant TERM_PERIODS_MAX = 4096;
    /// A member of the last term before leaving is settled two terms later; one more term is for evidence.
    uint256 private constant LEAVE_DELAY_FLOOR = 4;
    uint256 private constant LEAVE_DELAY_MAX = 64;
    uint256 private constant MIN_STAKE_FLOOR_WEI = 1 ether;
    uint256 private constant MIN_STAKE_MAX_WEI = 1_000_000 ether;
    /// A term's reward is at most this share of the minimum stake: it never outweighs what is at risk.
    uint256 private constant REWARD_MAX_BPS = 1_000;
    uint256 private constant SILENT_MAX_BPS = 500;
    uint256 private constant UNREVEALED_MAX_BPS = 1_000;
    uint256 private constant TOLERANCE_FLOOR_SCORE = 100;
    uint256 private constant TOLERANCE_MAX_SCORE = 3_000;
    uint256 private constant THRESHOLD_MAX_SCORE = 9_000;
    uint256 private constant SERVICE_MAX_BPS = 200;
    /// Parameters count from the term after the next on: whoever leaves now is in no committee by then.
    uint32 private constant NOTICE_TERMS = 2;

    IPossessionProofs internal immutable _proofs;
    address internal immutable _tokenAt;
    address internal immutable _penaltiesAt;
    address internal immutable _fundAt;
    address private immutable _owner;
    uint32 internal immutable _termPeriods;
    uint32 internal immutable _commitPeriods;
    uint32 internal immutable _revealPeriods;
    uint32 internal immutable _leaveDelayTerms;
    uint8 internal immutable _seatsMax;
    uint8 internal immutable _seatsMin;

    mapping(uint256 version => Params) private _params;
    uint32 private _versions;
    Checkpoints.Trace224 private _versionFrom;

    constructor(Config memory c, Params memory params) {
        if (c.token == address(0) || c.proofs == address(0) || c.penalties == address(0)) revert ZeroAddress();
        if (c.fund == address(0) || c.owner == address(0)) revert ZeroAddress();
        if (c.commitPeriods == 0 || c.commitPeriods > WINDOW_PERIODS_MAX) revert InvalidConfig("commitPeriods");
        if (c.revealPeriods == 0 || c.revealPeriods > WINDOW_PERIODS_MAX) revert InvalidConfig("revealPeriods");
        // At least one period is left to finalise in.
        if (c.termPeriods <= c.commitPeriods + c.revealPeriods) revert InvalidConfig("termPeriods");
        if (c.termPeriods > TERM_PERIODS_MAX) revert InvalidConfig("termPeriods");
        if (c.leaveDelayTerms < LEAVE_DELAY_FLOOR || c.leaveDelayTerms > LEAVE_DELAY_MAX) {
            revert InvalidConfig("leaveDelayTerms");
        }
        if (c.seatsMin < SEATS_FLOOR || c.seatsMin > c.seatsMax) revert InvalidConfig("seatsMin");
        if (c.seatsMax > ScoreLanes.SEATS_MAX) revert InvalidConfig("seatsMax");
        _tokenAt = c.token;
        _proofs = IPossessionProofs(c.proofs);
        _penaltiesAt = c.penalties;
        _fundAt = c.fund;
        _owner = c.owner;
        _termPeriods = c.termPeriods;
        _commitPeriods = c.commitPeriods;
        _revealPeriods = c.revealPeriods;
        _leaveDelayTerms = c.leaveDelayTerms;
        _seatsMax = c.seatsMax;
        _seatsMin = c.seatsMin;
        _schedule(params, 0);
    }

    /// @inheritdoc IVerifierCommittee
    function setParams(Params calldata params) external {
        if (msg.sender != _owner) revert NotOwner(msg.sender);
        _schedule(params, currentTerm() + NOTICE_TERMS);
    }

    /// @inheritdoc IVerifierCommittee
    function config() external view returns (Config memory) {
        return Config({
            token: _tokenAt,
            proofs: address(_proofs),
            penalties: _penaltiesAt,
            fund: _fundAt,
            owner: _owner,
            termPeriods: _termPeriods,
            commitPeriods: _commitPeriods,
            revealPeriods: _revealPeriods,
            leaveDelayTerms: _leaveDelayTerms,
            seatsMax: _seatsMax,
            seatsMin: _seatsMin
        });
    }

    /// @inheritdoc IVerifierCommittee
    function paramsAt(uint32 term) public view returns (Params memory) {
        return _params[_versionFrom.upperLookupRecent(term)];
    }

    /// @inheritdoc IVerifierCommittee
    function currentTerm() public view returns (uint32) {
        return (_proofs.currentPeriod() - 1) / _termPeriods + 1;
    }

    /// @inheritdoc IVerifierCommittee
    function windowsOf(uint32 term)
        public
        view
        returns (uint256 openPeriod, uint256 commitPeriod, uint256 revealPeriod, uint256 finalisePeriod, uint256 settlePeriod)
    {
        if (term == 0) revert WrongTerm(term, currentTerm());
        openPeriod = uint256(term - 1) * _termPeriods + 1;
        commitPeriod = openPeriod + _termPeriods;
        revealPeriod = commitPeriod + _commitPeriods;
        finalisePeriod = revealPeriod + _revealPeriods;
        settlePeriod = commitPeriod + _termPeriods;
    }

    function _requireWithin(uint32 term, uint256 fromPeriod, uint256 untilPeriod) internal view {
        uint256 period = _proofs.currentPeriod();
        if (period < fromPeriod || period >= untilPeriod) revert OutsideWindow(term, period, fromPeriod, untilPeriod);
    }

    function _schedule(Params memory p, uint32 fromTerm) private {
        _requireBounds("minStakeWei", p.minStakeWei, MIN_STAKE_FLOOR_WEI, MIN_STAKE_MAX_WEI);
        _requireBounds("rewardWei", p.rewardWei, 0, (p.minStakeWei * REWARD_MAX_BPS) / BPS);
        _requireBounds("silentBps", p.silentBps, 1, SILENT_MAX_BPS);
        _requireBounds("unrevealedBps", p.unrevealedBps, p.silentBps, UNREVEALED_MAX_BPS);
        _requireBounds("toleranceScore", p.toleranceScore, TOLERANCE_FLOOR_SCORE, TOLERANCE_MAX_SCORE);
        _requireBounds("thresholdScore", p.thresholdScore, 0, THRESHOLD_MAX_SCORE);
        _requireBounds("maxServiceBps", p.maxServiceBps, 0, SERVICE_MAX_BPS);
        uint32 version = ++_versions;
        _params[version] = p;
        _versionFrom.push(fromTerm, version);
        emit ParamsScheduled(fromTerm, p);
    }

    function _requireBounds(string memory field, uint256 value, uint256 least, uint256 most) private pure {
        if (value < least || value > most) revert ParameterOutOfBounds(field, value);
    }
}
