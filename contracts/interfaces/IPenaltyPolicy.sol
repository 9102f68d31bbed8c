// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title The three penalty tiers, in one place
/// @notice Rules alone: what a fault costs and how a slash is split. No money. The timelock may change the numbers inside bounds that
/// the bytecode fixes; why each has its size stands in docs/protocol/penalties.md.
/// @dev Invariants: Y1 a slash is never more than the collateral; Y2 the parts of a split sum exactly to the whole;
/// Y3 at least `fundBps` >= 40 % of every slash goes to the repair fund;
/// Y4 an admitted loss costs less than a caught one, a caught one less than an unanswered challenge, which costs all;
/// Y5 losing a slot on purpose and repairing it under another name costs more than the premium: the fund's part of the cheapest loss
/// is above `premiumBps`;
/// Y6 a finder gets at most a tenth of a slash, a reporter a twentieth; Y7 every slash has a cause that is told with it.
interface IPenaltyPolicy {
    enum Tier {
        Warning,
        Proportional,
        Destruction
    }

    /// @notice Who gets a finder's part of a slash.
    enum Finder {
        None,
        /// Of a missed period.
        Reporter,
        /// Of an unanswered challenge or a lie.
        Challenger
    }

    struct Params {
        /// A first miss with no other incident in this many periods before it is only a warning.
        uint32 warningWindowPeriods;
        /// Share of collateral at the incident's start for each further miss.
        uint16 missBps;
        /// Added per earlier incident that has not decayed.
        uint16 repeatBps;
        /// Largest share one miss may take in the proportional tier.
        uint16 maxMissBps;
        /// Consecutive misses after which data is presumed destroyed.
        uint32 destroyAfterMisses;
        /// Proven periods that make one earlier incident forgotten.
        uint32 decayPeriods;
        uint16 fundBps;
        uint16 reporterBps;
        uint16 challengerBps;
        uint16 protocolFeeBps;
        /// Share of a slot's collateral for a loss declared before it was asked for.
        uint16 declaredLossBps;
        /// The same for a loss named when the slot was drawn or challenged.
        uint16 caughtLossBps;
        /// Largest premium for repairing a slot, as a share of its collateral, reached after `premiumRampPeriods` of vacancy.
        uint16 premiumBps;
        uint32 premiumRampPeriods;
    }

    /// @notice A provider's record as of its last miss.
    struct Record {
        /// Misses in the running incident; 0 when the last period was proven.
        uint32 incidentMisses;
        /// Incidents that count against the provider, before decay.
        uint32 incidents;
        /// Period of the last miss; decay counts proven periods after it.
        uint32 lastMissPeriod;
        /// Collateral when the running incident began.
        uint256 incidentCollateralWei;
    }

    event ParamsChanged(Params params);

    error NotAuthorized(address caller);
    error ParameterOutOfBounds(string name, uint256 value);

    function params() external view returns (Params memory);
    /// @notice The only account that may change the numbers.
    function timelock() external view returns (address);
    /// @notice Changes the numbers, inside the bounds. Timelock only.
    function setParams(Params calldata next) external;

    /// @notice What a miss in `period` costs.
    /// @param consecutive whether the period just before (void ones skipped) was a miss too
    /// @param provenSince proven periods since the last miss
    function assess(Record calldata record, uint32 period, bool consecutive, uint256 provenSince, uint256 collateralWei)
        external
        view
        returns (Tier tier, uint256 slashWei, Record memory next);

    /// @notice The exact split of a slash: fund + finder + owners = amount.
    function split(uint256 amountWei, Finder finder) external view returns (uint256 fundWei, uint256 finderWei, uint256 ownersWei);

    /// @notice The protocol fee that a provider's pay carries, in basis points; exact, since pay is whole gwei.
    function protocolFeeBps() external view returns (uint16);
    /// @notice Shares of a slot's collateral for an admitted loss: declared in time, or named when it was asked for.
    function lossBps() external view returns (uint16 declared, uint16 caught);
    /// @notice What repairing a slot of this collateral earns after `vacantPeriods`.
    function premium(uint256 collateralWei, uint256 vacantPeriods) external view returns (uint256 premiumWei);
}
