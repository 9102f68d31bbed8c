// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Test token with a faucet, for the devnet and test networks only
/// @notice ERC-20 with 18 decimals and EIP-2612 permit. `faucet` mints a fixed amount per address and interval.
interface IPpioToken {
    event Dripped(address indexed to, uint256 amountWei);

    error FaucetEmptyUntil(address account, uint256 timestamp);

    /// @notice Mints `faucetAmountWei` to `to`; once per `faucetIntervalSeconds` and address.
    function faucet(address to) external;
    function faucetAmountWei() external view returns (uint256);
    function faucetIntervalSeconds() external view returns (uint256);
}
