// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Test double: a token that keeps a part of every transfer
contract FeeOnTransferToken is ERC20 {
    uint256 public immutable feeBps;

    constructor(uint256 feeBps_) ERC20("Fee on transfer", "FEE") {
        feeBps = feeBps_;
    }

    function mint(address to, uint256 amountWei) external {
        _mint(to, amountWei);
    }

    function _update(address from, address to, uint256 amountWei) internal override {
        uint256 feeWei = from == address(0) || to == address(0) ? 0 : amountWei * feeBps / 10_000;
        if (feeWei != 0) super._update(from, address(0), feeWei);
        super._update(from, to, amountWei - feeWei);
    }
}
