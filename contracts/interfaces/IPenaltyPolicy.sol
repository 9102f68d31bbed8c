// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title The three penalty tiers, in one place
/// @notice Pure rules: what a miss costs and how a slash is split. No state and no money. Why each number has its size
/// stands in docs/protocol/penalties.md.
/// @dev Invariants: Y1 a slash is never more than the collateral; Y2 the parts of a split sum exactly to the whole;
/// Y3 at least `fundBps` of every slash goes to the repair fund.
interface IPenaltyPolicy {
    enum Tier {
        Warning,
        Proportional,
        Destruction
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
        uint16 protocolFeeBps;
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

    function params() external view returns (Params memory);

    /// @notice What a miss in `period` costs.
    /// @param consecutive whether the period just before (void ones skipped) was a miss too
    /// @param provenSince proven periods since the last miss
    function assess(Record calldata record, uint32 period, bool consecutive, uint256 provenSince, uint256 collateralWei)
        external
        view
        returns (Tier tier, uint256 slashWei, Record memory next);

    /// @notice The exact split of a slash: fund + reporter + owners = amount.
    function split(uint256 amountWei) external view returns (uint256 fundWei, uint256 reporterWei, uint256 ownersWei);

    /// @notice The protocol fee that a provider's pay carries, rounded up.
    function protocolFee(uint256 payWei) external view returns (uint256 feeWei);
}
