// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What a sponsor pool needs of the market to prolong a deal
interface IDealRenewal {
    /// @notice Prolongs a deal to `newEnd` at its price. The caller is the deal's payer and has approved the escrow, which is taken
    /// from it. @return escrowWei what was taken.
    function renew(bytes32 dealId, uint32 newEnd) external returns (uint256 escrowWei);
}
