// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IPpioToken} from "./interfaces/IPpioToken.sol";

/// @title See IPpioToken, the manual.
contract PpioToken is ERC20, ERC20Permit, IPpioToken {
    /// @inheritdoc IPpioToken
    uint256 public constant override faucetAmountWei = 10_000 ether;
    /// @inheritdoc IPpioToken
    uint256 public constant override faucetIntervalSeconds = 1 days;

    mapping(address account => uint256 timestamp) private _emptyUntil;

    constructor() ERC20("PPIO test token", "PPIO") ERC20Permit("PPIO test token") {}

    /// @inheritdoc IPpioToken
    function faucet(address to) external {
        uint256 emptyUntil = _emptyUntil[to];
        if (block.timestamp < emptyUntil) revert FaucetEmptyUntil(to, emptyUntil);
        _emptyUntil[to] = block.timestamp + faucetIntervalSeconds;
        _mint(to, faucetAmountWei);
        emit Dripped(to, faucetAmountWei);
    }
}
