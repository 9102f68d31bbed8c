// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Verifiers: stake, sortition, reports and scores
/// @notice Verifiers are staked third parties that measure providers' service. Time is cut into *terms* of `termPeriods` periods,
/// counted from 1: term t is the periods [(t - 1) x termPeriods + 1, t x termPeriods + 1). For every term a committee is drawn:
///
///     period     | term t ................................ | term t + 1 .............................. | term t + 2
///     committee  | draw; members measure ................. | commit | reveal | finalise ............. | settle
///     rules      | list and parameters as of its opening   |
///
/// 1. `drawCommittee(t)`, by anyone, during t, with the beacon's seed (that of the last period before t). 2. Each member measures,
/// and commits to its report in the first `commitPeriods` periods of t + 1. 3. It reveals in the `revealPeriods` after that.
/// 4. `finalise(t, providers)`, by anyone, in the rest of t + 1: a provider on which two thirds of all seats reported gets the
/// median as its score. 5. `settle(t)`, by anyone, from t + 2 on: rewards and penalties of the members.
/// No seed in time, too few verifiers, or nobody who drew: the term has no committee, and nobody is paid or punished.
///
/// Seats: one verifier is one unit of stake and one entry on the list, whatever it holds above the minimum. Weight by equal units is
/// weight by stake without sums over stakes: ten units under ten names are drawn as often as they cost, so splitting gains nothing.
/// Draw i (0, 1, …) of a committee takes place i + keccak256(seed, committee contract, term, i) mod (listed - i) (ABI-packed:
/// bytes32, address, uint32, uint32) of the list, and the place's entry changes with entry i: a Fisher-Yates shuffle, so all members
/// are distinct and no draw is ever repeated.
///
/// Commitment: keccak256(abi.encode(chainId, this contract, verifier, term, salt, keccak256(report))). It names its sender, so that a
/// copied one cannot be revealed by the copier. A report is a list of entries of 6 bytes (providerId, 4; score, 2; big endian), by
/// providerId ascending without repetition, at most `REPORT_ENTRIES_MAX` of them. A score is 0 (useless) to 10000 (flawless).
///
///     verifier   None -> Active <-> Leaving -> None;   Active | Leaving -> Slashed (final)
///
/// @dev Attacks hindered: joining, leaving or splitting after a seed is known (changes of the list count from the next term);
/// choosing the moment of the draw (it has one result); copying commitments; withholding as last revealer (it moves the median by one
/// rank inside the honest range and costs `unrevealedBps`); a provider that scores itself (one lane more among liars, which the median
/// bounds; excluding an owner's address would exclude nobody, since addresses are free); starving a call of gas so that a
/// consequence is skipped (`GasTooLow`).
/// Invariants:
/// V1 token balance >= Σ stakes + Σ credits + `owedToFundWei`, equal when nobody sends tokens unasked;
/// V2 a term's committee depends on nothing but its seed and the list at its opening; its members are distinct;
/// V3 a committee is drawn at most once, in its own term, with a seed that came in time;
/// V4 a member has at most one commitment and one reveal per term, each inside its window, the second equal to the first;
/// V5 a score is the median of at least two thirds of the seats: fewer than a third of liars cannot take it out of the honest range;
/// V6 a provider is scored at most once per term and punished at most once per score, by at most `maxServiceBps`, never at or above
///    the threshold; a punishment that fails changes nothing else;
/// V7 a term is settled at most once; a member loses at most `unrevealedBps` of its stake in it, nothing if it reported on half of
///    what was scored or if a period of its windows was void; nobody loses for a score;
/// V8 equivocation takes the whole stake, finder's part plus fund's part exactly, and that verifier never returns;
/// V9 rewards of a term sum to what the fund paid for it, at most `rewardWei` per seat;
/// V10 stake leaves by penalty, slash or withdrawal only; after the delay withdrawal depends on nothing but time;
/// V11 a verifier has exactly one entry on the list while Active and none otherwise;
/// V12 the parameters of a term are fixed before the term before it begins.
interface IVerifierCommittee {
    enum Status {
        None,
        Active,
        Leaving,
        Slashed
    }

    /// @notice What never changes.
    struct Config {
        address token;
        /// IPossessionProofs: periods and seeds.
        address proofs;
        /// IServicePenalty; the same contract in every deployment but tests.
        address penalties;
        /// IRepairFund: the market.
        address fund;
        /// The timelock: sets `Params`, nothing else.
        address owner;
        uint32 termPeriods;
        uint32 commitPeriods;
        uint32 revealPeriods;
        /// Verifiers that must wait this many terms between leaving and withdrawing.
        uint32 leaveDelayTerms;
        /// Seats, and the fewest verifiers from whom a committee is drawn.
        uint8 seatsMax;
        uint8 seatsMin;
    }

    /// @notice What the owner may tune, from the term after the next on. One word: 2 x 88 | 5 x 16 = 256 bits.
    struct Params {
        /// Needed to join. Below half of it a verifier is taken off the list.
        uint88 minStakeWei;
        /// For a member that is near every score of the term.
        uint88 rewardWei;
        /// Share of stake for a member that reported on less than half of what was scored.
        uint16 silentBps;
        /// Share of stake for a member that committed and did not reveal.
        uint16 unrevealedBps;
        /// Distance from the median up to which a report earns.
        uint16 toleranceScore;
        /// A provider with a score below this is punished.
        uint16 thresholdScore;
        /// Share of collateral taken at score 0; proportionally less up to the threshold.
        uint16 maxServiceBps;
    }

    struct Verifier {
        /// Counts from 1; 0 for an address that never joined.
        uint32 verifierId;
        Status status;
        uint256 stakeWei;
        /// First term in which a leaving verifier may withdraw.
        uint32 freeFromTerm;
    }

    struct Term {
        /// Members by seat; empty while there is no committee.
        address[] members;
        /// Bit i: seat i.
        uint16 committedSeats;
        uint16 revealedSeats;
        bool settled;
        /// Providers scored.
        uint16 scored;
        /// Per seat: scored providers that it was near to, and that it reported on.
        uint16[] near;
        uint16[] reported;
    }

    event ParamsScheduled(uint32 indexed fromTerm, Params params);
    event VerifierJoined(address indexed verifier, uint32 indexed verifierId, uint256 stakeWei, uint32 fromTerm);
    event StakeAdded(address indexed verifier, address from, uint256 amountWei, uint256 stakeWei);
    /// By its own wish, or because its stake fell below half of the minimum.
    event VerifierLeaving(address indexed verifier, uint32 freeFromTerm);
    event StakeWithdrawn(address indexed verifier, address to, uint256 amountWei);
    event StakePenalised(address indexed verifier, uint32 indexed term, uint256 amountWei, uint256 stakeWei);
    event VerifierSlashed(address indexed verifier, uint32 indexed term, address finder, uint256 finderWei, uint256 fundWei);
    event CommitteeDrawn(uint32 indexed term, bytes32 seed, address[] members);
    event ReportCommitted(uint32 indexed term, address indexed verifier, bytes32 commitment);
    event ReportRevealed(uint32 indexed term, address indexed verifier, bytes32 salt, bytes report);
    event ProviderScored(uint32 indexed providerId, uint32 indexed term, uint16 score, uint256 reports);
    event ServicePenalised(uint32 indexed providerId, uint32 indexed term, uint16 bps);
    /// The penalty contract refused: the provider is gone, or has lost what it can lose in a week.
    event ServicePenaltySkipped(uint32 indexed providerId, uint32 indexed term, uint16 bps);
    event TermSettled(uint32 indexed term, uint256 penaltiesWei, uint256 rewardsDueWei, uint256 rewardsPaidWei);
    event Credited(address indexed account, uint256 amountWei);
    event CreditWithdrawn(address indexed account, address to, uint256 amountWei);
    event SlashedForwarded(uint256 amountWei);

    error InvalidConfig(string field);
    error ParameterOutOfBounds(string field, uint256 value);
    error NotOwner(address caller);
    error ZeroAddress();
    error WrongStatus(address verifier, Status status);
    error StakeTooLow(address verifier, uint256 stakeWei, uint256 neededWei);
    error StakeTooLarge(address verifier, uint256 stakeWei, uint256 maxWei);
    error UnsupportedToken(uint256 received, uint256 expected);
    error StillStaked(address verifier, uint32 freeFromTerm, uint32 current);
    error NothingToWithdraw(address account);
    error AuthorizationExpired(uint64 deadline);
    error InvalidSignature(address recovered, address expected);
    error WrongTerm(uint32 term, uint32 current);
    error OutsideWindow(uint32 term, uint256 period, uint256 fromPeriod, uint256 untilPeriod);
    error TooFewVerifiers(uint32 term, uint256 listed, uint256 needed);
    error AlreadyDrawn(uint32 term);
    error NoCommittee(uint32 term);
    error NotAMember(uint32 term, address verifier);
    error EmptyCommitment();
    error AlreadyCommitted(uint32 term, address verifier);
    error NotCommitted(uint32 term, address verifier);
    error AlreadyRevealed(uint32 term, address verifier);
    error WrongReveal(uint32 term, address verifier, bytes32 actual, bytes32 committed);
    error InvalidReportLength(uint256 bytes_, uint256 maxBytes);
    error NotAscending(uint256 entry, uint32 providerId, uint32 previous);
    error ScoreTooHigh(uint32 providerId, uint256 score);
    error TooManyProviders(uint256 count, uint256 max);
    error AlreadySettled(uint32 term);
    error NotEquivocation(address verifier, uint32 term, bytes32 commitment);
    error GasTooLow(uint256 gasLeft, uint256 needed);

    // ---- stake ----

    /// @notice Adds `amountWei` of the caller's tokens to its stake, which must then reach the minimum, and lists it from the next
    /// term on. Also the way back for a leaving verifier.
    function join(uint256 amountWei) external;

    /// @notice `join` carried by anyone, with the verifier's signature over
    /// Join(address verifier,uint256 amountWei,uint256 nonce,uint64 deadline). The tokens are the verifier's, out of its allowance.
    function joinWithSig(address verifier, uint256 amountWei, uint64 deadline, bytes calldata signature) external;

    /// @notice Adds the caller's tokens to the stake of an active or leaving verifier; anyone may.
    function topUp(address verifier, uint256 amountWei) external;

    /// @notice Takes the caller off the list from the next term on. A seat of the running term keeps its duties, and the stake stays
    /// at risk until it is withdrawn.
    function leave() external;

    /// @notice Pays a leaving verifier's whole stake out, from `freeFromTerm` on.
    function withdrawStake(address to) external returns (uint256 amountWei);

    /// @notice Pays out the caller's rewards and finder's parts.
    function withdrawCredit(address to) external returns (uint256 amountWei);

    /// @notice Hands penalties and slashes that were collected to the repair fund. Anyone.
    function forwardSlashed() external returns (uint256 amountWei);

    /// @notice New parameters from the term after the next on; before that anybody can leave under the old ones. Owner only.
    function setParams(Params calldata params) external;

    // ---- terms ----

    /// @notice Draws the committee of the running term. Anyone, once.
    function drawCommittee(uint32 term) external;

    /// @notice The caller's commitment to its report on `term`.
    function commit(uint32 term, bytes32 commitment) external;

    /// @notice `commit` carried by anyone, with the member's ECDSA signature over
    /// Commit(address verifier,uint32 term,bytes32 commitment). Sign one per term and no more: two are equivocation.
    function commitWithSig(address verifier, uint32 term, bytes32 commitment, bytes calldata signature) external;

    /// @notice Opens a commitment. Anyone who was given salt and report may carry it.
    function reveal(address verifier, uint32 term, bytes32 salt, bytes calldata report) external;

    /// @notice Scores providers on which two thirds of the seats reported; others, and those already scored, are passed over.
    /// @param providerIds at most `FINALISE_MAX` @return scored how many got a score
    function finalise(uint32 term, uint32[] calldata providerIds) external returns (uint256 scored);

    /// @notice Rewards members near the scores out of the repair fund, and takes the small penalties. When the fund is short all are
    /// paid in proportion, and the rest is not made up for later.
    function settle(uint32 term) external;

    /// @notice Slashes a member to zero that signed two different commitments for `term`; the caller gets `FINDER_BPS` of it.
    /// @param signatureB may be empty when `commitmentB` is the one on the chain
    function reportEquivocation(
        address verifier,
        uint32 term,
        bytes32 commitmentA,
        bytes calldata signatureA,
        bytes32 commitmentB,
        bytes calldata signatureB
    ) external;

    // ---- views ----

    function config() external view returns (Config memory);
    function paramsAt(uint32 term) external view returns (Params memory);
    function currentTerm() external view returns (uint32);
    /// @notice First periods of: term, its commit window, its reveal window, its finalisation, its settlement.
    function windowsOf(uint32 term)
        external
        view
        returns (uint256 openPeriod, uint256 commitPeriod, uint256 revealPeriod, uint256 finalisePeriod, uint256 settlePeriod);
    function verifierOf(address account) external view returns (Verifier memory);
    function accountOf(uint32 verifierId) external view returns (address);
    function verifierCount() external view returns (uint32);
    /// @notice Entries of the list that the committee of `term` is drawn from; final once `term` has opened.
    function listedAt(uint32 term) external view returns (uint256);
    function entryAt(uint32 term, uint32 position) external view returns (address);
    /// @notice The committee that `drawCommittee` draws or would have drawn; reverts without a seed or with too few verifiers.
    function previewCommittee(uint32 term) external view returns (address[] memory);
    function termOf(uint32 term) external view returns (Term memory);
    function commitmentOf(uint32 term, address verifier) external view returns (bytes32);
    /// @notice The commitment to `report`.
    function hashReport(address verifier, uint32 term, bytes32 salt, bytes calldata report) external view returns (bytes32);
    /// @notice A provider's latest score and its term; 0, 0 before the first.
    function scoreOf(uint32 providerId) external view returns (uint16 score, uint32 term);
    /// @notice Scores revealed on a provider for `term`, ascending, until those of a later term replace them.
    function revealedScores(uint32 term, uint32 providerId) external view returns (uint256[] memory);
    function creditOf(address account) external view returns (uint256);
    function owedToFundWei() external view returns (uint256);
    function nonceOf(address account) external view returns (uint256);
    function domainSeparator() external view returns (bytes32);
    function REPORT_ENTRIES_MAX() external view returns (uint256);
    function FINALISE_MAX() external view returns (uint256);
    /// @notice Gas that each service penalty gets, also after the longest outage of the beacon that reports can reach behind.
    function PENALTY_GAS() external view returns (uint256);
    function FINDER_BPS() external view returns (uint256);
}
