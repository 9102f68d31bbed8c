// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title The part of the proofs contract that the committee needs: the consequence of bad service
interface IServicePenalty {
    /// @notice Takes `bps` of a provider's collateral for bad service, at most 2 % a week and never an eviction. Committee only.
    function slashForService(uint32 providerId, uint16 bps) external;
}
