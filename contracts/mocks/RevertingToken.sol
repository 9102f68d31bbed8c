// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Test double: a token whose transfers can be made to revert or to return false, for all or to one account
contract RevertingToken is ERC20 {
    enum Mode {
        Honest,
        Revert,
        ReturnFalse
    }

    Mode public mode;
    mapping(address account => bool) public isBlocked;

    error Refused(address from, address to);

    constructor() ERC20("Reverting", "REV") {}

    function mint(address to, uint256 amountWei) external {
        _mint(to, amountWei);
    }

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function setBlocked(address account, bool isBlocked_) external {
        isBlocked[account] = isBlocked_;
    }

    function transfer(address to, uint256 amountWei) public override returns (bool) {
        return mode == Mode.ReturnFalse ? false : super.transfer(to, amountWei);
    }

    function transferFrom(address from, address to, uint256 amountWei) public override returns (bool) {
        return mode == Mode.ReturnFalse ? false : super.transferFrom(from, to, amountWei);
    }

    function _update(address from, address to, uint256 amountWei) internal override {
        if (mode == Mode.Revert || isBlocked[from] || isBlocked[to]) revert Refused(from, to);
        super._update(from, to, amountWei);
    }
}
