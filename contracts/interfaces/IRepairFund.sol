// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title The part of the market that the committee needs: the repair fund's two doors
interface IRepairFund {
    /// @notice Transfers at most `amountWei` to `to`: less when the fund is short or the call's bound is reached. Committee only.
    function payFromRepairFund(address to, uint256 amountWei) external returns (uint256 paidWei);

    /// @notice Adds exactly `amountWei` of the caller's tokens, which it must have approved.
    function donate(uint256 amountWei) external;
}
