// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRepairFund} from "./interfaces/IRepairFund.sol";
import {IServicePenalty} from "./interfaces/IServicePenalty.sol";
import {IVerifierCommittee} from "./interfaces/IVerifierCommittee.sol";
import {ScoreLanes} from "./libraries/ScoreLanes.sol";
import {Sortition} from "./libraries/Sortition.sol";
import {VerifierLedger} from "./VerifierLedger.sol";
import {VerifierRules} from "./VerifierRules.sol";

/// @title See IVerifierCommittee, the manual.
/// @dev Assumptions for safety: the token moves exactly what it is told and never calls back; `penalties` and `fund` may fail, return
/// anything or burn the gas they are given, but hold no key to this contract. For liveness: anyone sends the calls that anyone may send.
contract VerifierCommittee is VerifierLedger {
    using ScoreLanes for uint256;

    /// Words 0 and 1: verifier ids by seat, 8 x 32 | 7 x 32. Word 2: seats 8 | committed 16 | revealed 16 | settled 8 = 48 bits.
    /// Word 3: near, 15 x 16 | scored 16. Word 4: reported, 15 x 16. No lane overflows: a report has at most 512 entries, and reports
    /// of all seats make at most 512 x seats / (2/3 seats) = 768 quorums.
    struct TermRecord {
        uint32[15] ids;
        uint8 seats;
        uint16 committed;
        uint16 revealed;
        bool settled;
        uint256 near;
        uint256 reported;
        mapping(uint256 seat => bytes32) commitments;
    }

    /// One word: 16 | 32 bits.
    struct Score {
        uint16 score;
        uint32 term;
    }

    bytes32 private constant COMMIT = keccak256("Commit(address verifier,uint32 term,bytes32 commitment)");
    /// @inheritdoc IVerifierCommittee
    uint256 public constant override REPORT_ENTRIES_MAX = 512;
    /// @inheritdoc IVerifierCommittee
    uint256 public constant override FINALISE_MAX = 8;
    uint256 private constant ENTRY_BYTES = 6;
    /// What calls to other contracts get, whatever the caller sent: else it could starve them and skip their effect. The proofs contract
    /// looks at each period of the longest report window that nobody has marked void.
    /// @inheritdoc IVerifierCommittee
    uint256 public constant override PENALTY_GAS = 1_900_000;
    uint256 private constant FUND_GAS = 300_000;
    uint256 private constant TALLY_BITS = 16;
    uint256 private constant SCORED_SHIFT = ScoreLanes.SEATS_MAX * TALLY_BITS;

    mapping(uint32 term => TermRecord) private _terms;
    /// Lanes of the latest term in which anyone reported on the provider.
    mapping(uint32 providerId => uint256) private _lanes;
    mapping(uint32 providerId => Score) private _scores;

    constructor(Config memory config_, Params memory params) VerifierRules(config_, params) VerifierLedger() {}

    // ---- committee ----

    /// @inheritdoc IVerifierCommittee
    function drawCommittee(uint32 term) external {
        uint32 current = currentTerm();
        if (term != current) revert WrongTerm(term, current);
        TermRecord storage t = _terms[term];
        if (t.seats != 0) revert AlreadyDrawn(term);
        (bytes32 seed, uint32[] memory ids) = _draw(term);
        uint32[15] memory packed;
        address[] memory members = new address[](ids.length);
        for (uint256 seat; seat < ids.length; ++seat) {
            packed[seat] = ids[seat];
            members[seat] = _verifiers[ids[seat]].account;
        }
        t.ids = packed;
        t.seats = uint8(ids.length);
        emit CommitteeDrawn(term, seed, members);
    }

    /// @inheritdoc IVerifierCommittee
    function previewCommittee(uint32 term) external view returns (address[] memory members) {
        uint32 current = currentTerm();
        if (term > current) revert WrongTerm(term, current);
        (, uint32[] memory ids) = _draw(term);
        members = new address[](ids.length);
        for (uint256 seat; seat < ids.length; ++seat) {
            members[seat] = _verifiers[ids[seat]].account;
        }
    }

    function _draw(uint32 term) private view returns (bytes32 seed, uint32[] memory ids) {
        (uint256 openPeriod,,,,) = windowsOf(term);
        // Reverts when the seed is not known yet or came late (V3).
        seed = _proofs.seedOf(uint32(openPeriod - 1));
        uint256 listed = listedAt(term);
        if (listed < _seatsMin) revert TooFewVerifiers(term, listed, _seatsMin);
        uint256 seats = listed < _seatsMax ? listed : _seatsMax;
        uint256[] memory places = Sortition.draw(seed, address(this), term, listed, seats);
        ids = new uint32[](seats);
        for (uint256 seat; seat < seats; ++seat) {
            ids[seat] = _entryAt(term, places[seat]);
        }
    }

    // ---- reports ----

    /// @inheritdoc IVerifierCommittee
    function commit(uint32 term, bytes32 commitment) external {
        _commit(msg.sender, term, commitment);
    }

    /// @inheritdoc IVerifierCommittee
    function commitWithSig(address verifier, uint32 term, bytes32 commitment, bytes calldata signature) external {
        _requireSignature(verifier, keccak256(abi.encode(COMMIT, verifier, term, commitment)), signature);
        _commit(verifier, term, commitment);
    }

    function _commit(address verifier, uint32 term, bytes32 commitment) private {
        (, uint256 from, uint256 until,,) = windowsOf(term);
        _requireWithin(term, from, until);
        if (commitment == 0) revert EmptyCommitment();
        TermRecord storage t = _terms[term];
        uint256 seat = _dutifulSeatOf(t, term, verifier);
        if (_bit(t.committed, seat)) revert AlreadyCommitted(term, verifier);
        t.committed |= uint16(1 << seat);
        t.commitments[seat] = commitment;
        emit ReportCommitted(term, verifier, commitment);
    }

    /// @inheritdoc IVerifierCommittee
    function reveal(address verifier, uint32 term, bytes32 salt, bytes calldata report) external {
        (,, uint256 from, uint256 until,) = windowsOf(term);
        _requireWithin(term, from, until);
        TermRecord storage t = _terms[term];
        uint256 seat = _dutifulSeatOf(t, term, verifier);
        if (!_bit(t.committed, seat)) revert NotCommitted(term, verifier);
        if (_bit(t.revealed, seat)) revert AlreadyRevealed(term, verifier);
        bytes32 actual = hashReport(verifier, term, salt, report);
        bytes32 committed = t.commitments[seat];
        if (actual != committed) revert WrongReveal(term, verifier, actual, committed);
        t.revealed |= uint16(1 << seat);
        emit ReportRevealed(term, verifier, salt, report);
        _record(term, seat, report);
    }

    function _record(uint32 term, uint256 seat, bytes calldata report) private {
        uint256 maxBytes = REPORT_ENTRIES_MAX * ENTRY_BYTES;
        if (report.length > maxBytes || report.length % ENTRY_BYTES != 0) revert InvalidReportLength(report.length, maxBytes);
        uint32 previous;
        for (uint256 at; at < report.length; at += ENTRY_BYTES) {
            uint256 entry = uint48(bytes6(report[at:at + ENTRY_BYTES]));
            uint32 providerId = uint32(entry >> 16);
            uint256 score = entry & 0xffff;
            // Provider ids count from 1, so the first entry ascends too.
            if (providerId <= previous) revert NotAscending(at / ENTRY_BYTES, providerId, previous);
            if (score > ScoreLanes.SCORE_MAX) revert ScoreTooHigh(providerId, score);
            _lanes[providerId] = _lanes[providerId].withScore(term, seat, score);
            previous = providerId;
        }
    }

    // ---- scores ----

    /// @inheritdoc IVerifierCommittee
    function finalise(uint32 term, uint32[] calldata providerIds) external nonReentrant returns (uint256 scored) {
        if (providerIds.length > FINALISE_MAX) revert TooManyProviders(providerIds.length, FINALISE_MAX);
        (,,, uint256 from, uint256 until) = windowsOf(term);
        _requireWithin(term, from, until);
        TermRecord storage t = _terms[term];
        if (t.seats == 0) revert NoCommittee(term);
        Params memory p = paramsAt(term);
        uint16[] memory penaltyBps = new uint16[](providerIds.length);
        for (uint256 i; i < providerIds.length; ++i) {
            (bool done, uint16 bps) = _finaliseOne(t, p, term, providerIds[i]);
            if (done) ++scored;
            penaltyBps[i] = bps;
        }
        for (uint256 i; i < providerIds.length; ++i) {
            if (penaltyBps[i] != 0) _punish(term, providerIds[i], penaltyBps[i]);
        }
    }

    function _finaliseOne(TermRecord storage t, Params memory p, uint32 term, uint32 providerId)
        private
        returns (bool done, uint16 penaltyBps)
    {
        uint256 word = _lanes[providerId];
        if (!word.isOf(term) || word.isDone()) return (false, 0);
        uint256 seats = t.seats;
        uint256[] memory scores = word.sorted(seats);
        if (scores.length * 3 < seats * 2) return (false, 0);
        uint256 score = ScoreLanes.median(scores);
        _lanes[providerId] = word.markDone();
        _scores[providerId] = Score(uint16(score), term);
        uint256 near = 1 << SCORED_SHIFT;
        uint256 reported;
        for (uint256 seat; seat < seats; ++seat) {
            if (!word.has(seat)) continue;
            reported |= 1 << (seat * TALLY_BITS);
            if (word.isNear(seat, score, p.toleranceScore)) near |= 1 << (seat * TALLY_BITS);
        }
        t.near += near;
        t.reported += reported;
        emit ProviderScored(providerId, term, uint16(score), scores.length);
        if (score < p.thresholdScore) {
            penaltyBps = uint16((uint256(p.maxServiceBps) * (p.thresholdScore - score)) / p.thresholdScore);
        }
        return (true, penaltyBps);
    }

    function _punish(uint32 term, uint32 providerId, uint16 bps) private {
        _requireGas(PENALTY_GAS);
        try IServicePenalty(_penaltiesAt).slashForService{gas: PENALTY_GAS}(providerId, bps) {
            emit ServicePenalised(providerId, term, bps);
        } catch {
            emit ServicePenaltySkipped(providerId, term, bps);
        }
    }

    // ---- settlement ----

    /// @inheritdoc IVerifierCommittee
    function settle(uint32 term) external nonReentrant {
        (,,,, uint256 from) = windowsOf(term);
        _requireWithin(term, from, type(uint256).max);
        TermRecord storage t = _terms[term];
        uint256 seats = t.seats;
        if (seats == 0) revert NoCommittee(term);
        if (t.settled) revert AlreadySettled(term);
        t.settled = true;
        Params memory p = paramsAt(term);
        bool excused = _windowsWereVoid(term);
        uint256[] memory dueWei = new uint256[](seats);
        uint256 penaltiesWei;
        uint256 rewardsWei;
        for (uint256 seat; seat < seats; ++seat) {
            VerifierRecord storage v = _verifiers[t.ids[seat]];
            (uint256 penaltyBps, uint256 rewardWei) = _judge(t, p, seat);
            if (!excused) penaltiesWei += _penalise(v, term, penaltyBps, p.minStakeWei / 2);
            // A liar that was slashed earns nothing.
            if (v.status == Status.Slashed) continue;
            dueWei[seat] = rewardWei;
            rewardsWei += rewardWei;
        }
        uint256 paidWei = _payFromFund(rewardsWei);
        _share(t, dueWei, rewardsWei, paidWei);
        emit TermSettled(term, penaltiesWei, rewardsWei, paidWei);
    }

    /// What a seat's member loses and earns.
    function _judge(TermRecord storage t, Params memory p, uint256 seat) private view returns (uint256 penaltyBps, uint256 rewardWei) {
        uint256 near = t.near;
        uint256 scored = near >> SCORED_SHIFT;
        if (_bit(t.committed, seat) && !_bit(t.revealed, seat)) return (p.unrevealedBps, 0);
        uint256 reported = uint16(t.reported >> (seat * TALLY_BITS));
        if (!_bit(t.revealed, seat) || reported * 2 < scored) penaltyBps = p.silentBps;
        if (scored != 0) rewardWei = (uint256(p.rewardWei) * uint16(near >> (seat * TALLY_BITS))) / scored;
    }

    /// Whether the chain or its beacon stood still while members had to report: then nobody is to blame.
    function _windowsWereVoid(uint32 term) private view returns (bool) {
        (, uint256 from,, uint256 until,) = windowsOf(term);
        for (uint256 period = from; period < until; ++period) {
            if (_proofs.isVoid(uint32(period))) return true;
        }
        return false;
    }

    /// What the fund really paid, by our own balance: it may be short, bounded or out of order.
    function _payFromFund(uint256 amountWei) private returns (uint256 paidWei) {
        if (amountWei == 0) return 0;
        _requireGas(FUND_GAS);
        uint256 before = IERC20(_tokenAt).balanceOf(address(this));
        try IRepairFund(_fundAt).payFromRepairFund{gas: FUND_GAS}(address(this), amountWei) {} catch {}
        paidWei = IERC20(_tokenAt).balanceOf(address(this)) - before;
        if (paidWei > amountWei) paidWei = amountWei;
    }

    /// Splits what was paid in proportion to what was due, to the wei: each gets the difference of two rounded sums.
    function _share(TermRecord storage t, uint256[] memory dueWei, uint256 totalWei, uint256 paidWei) private {
        if (paidWei == 0) return;
        uint256 sumWei;
        uint256 sharedWei;
        for (uint256 seat; seat < dueWei.length; ++seat) {
            sumWei += dueWei[seat];
            uint256 nextWei = (paidWei * sumWei) / totalWei;
            _credit(_verifiers[t.ids[seat]].account, nextWei - sharedWei);
            sharedWei = nextWei;
        }
    }

    // ---- equivocation ----

    /// @inheritdoc IVerifierCommittee
    function reportEquivocation(
        address verifier,
        uint32 term,
        bytes32 commitmentA,
        bytes calldata signatureA,
        bytes32 commitmentB,
        bytes calldata signatureB
    ) external {
        TermRecord storage t = _terms[term];
        uint256 seat = _seatOf(t, term, verifier);
        VerifierRecord storage v = _verifiers[_idOf[verifier]];
        // Of one that has withdrawn nothing can be taken.
        if (v.status != Status.Active && v.status != Status.Leaving) revert WrongStatus(verifier, v.status);
        if (commitmentA == commitmentB) revert NotEquivocation(verifier, term, commitmentB);
        _requireSignature(verifier, keccak256(abi.encode(COMMIT, verifier, term, commitmentA)), signatureA);
        if (signatureB.length != 0) {
            _requireSignature(verifier, keccak256(abi.encode(COMMIT, verifier, term, commitmentB)), signatureB);
        } else if (commitmentB == 0 || t.commitments[seat] != commitmentB) {
            revert NotEquivocation(verifier, term, commitmentB);
        }
        _slash(v, term);
    }

    // ---- views ----

    /// @inheritdoc IVerifierCommittee
    function termOf(uint32 term) external view returns (Term memory out) {
        TermRecord storage t = _terms[term];
        uint256 seats = t.seats;
        out.members = new address[](seats);
        out.near = new uint16[](seats);
        out.reported = new uint16[](seats);
        for (uint256 seat; seat < seats; ++seat) {
            out.members[seat] = _verifiers[t.ids[seat]].account;
            out.near[seat] = uint16(t.near >> (seat * TALLY_BITS));
            out.reported[seat] = uint16(t.reported >> (seat * TALLY_BITS));
        }
        (out.committedSeats, out.revealedSeats, out.settled) = (t.committed, t.revealed, t.settled);
        out.scored = uint16(t.near >> SCORED_SHIFT);
    }

    /// @inheritdoc IVerifierCommittee
    function commitmentOf(uint32 term, address verifier) external view returns (bytes32) {
        return _terms[term].commitments[_seatOf(_terms[term], term, verifier)];
    }

    /// @inheritdoc IVerifierCommittee
    function scoreOf(uint32 providerId) external view returns (uint16 score, uint32 term) {
        Score storage s = _scores[providerId];
        return (s.score, s.term);
    }

    /// @inheritdoc IVerifierCommittee
    function revealedScores(uint32 term, uint32 providerId) external view returns (uint256[] memory) {
        uint256 word = _lanes[providerId];
        return word.isOf(term) ? word.sorted(_terms[term].seats) : new uint256[](0);
    }

    /// @inheritdoc IVerifierCommittee
    function hashReport(address verifier, uint32 term, bytes32 salt, bytes calldata report) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), verifier, term, salt, keccak256(report)));
    }

    // ---- inside ----

    /// The seat of a member that still has something at risk.
    function _dutifulSeatOf(TermRecord storage t, uint32 term, address verifier) private view returns (uint256 seat) {
        seat = _seatOf(t, term, verifier);
        VerifierRecord storage v = _verifiers[t.ids[seat]];
        if (v.status == Status.Slashed) revert WrongStatus(verifier, v.status);
    }

    function _seatOf(TermRecord storage t, uint32 term, address verifier) private view returns (uint256) {
        uint256 seats = t.seats;
        if (seats == 0) revert NoCommittee(term);
        uint32 id = _idOf[verifier];
        uint32[15] memory ids = t.ids;
        for (uint256 seat; seat < seats; ++seat) {
            if (ids[seat] == id) return seat;
        }
        revert NotAMember(term, verifier);
    }

    function _bit(uint256 bits, uint256 seat) private pure returns (bool) {
        return (bits >> seat) & 1 == 1;
    }

    function _requireGas(uint256 needed) private view {
        // A call gets at most 63/64 of what is left; the rest is for what follows it.
        uint256 total = needed + needed / 63 + 50_000;
        if (gasleft() < total) revert GasTooLow(gasleft(), total);
    }
}
