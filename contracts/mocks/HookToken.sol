// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Test double: a token that takes a fee, calls out or fails on transfers, as told
contract HookToken is ERC20 {
    uint256 public feeBps;
    bool public failing;
    address private _target;
    bytes private _call;

    error TransferFailed();

    constructor() ERC20("hook", "HOOK") {
        _mint(msg.sender, 1e30);
    }

    function setFee(uint256 feeBps_) external {
        feeBps = feeBps_;
    }

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    /// Every transfer calls `target` with `call`, and fails with it.
    function setHook(address target, bytes calldata call) external {
        (_target, _call) = (target, call);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (failing) revert TransferFailed();
        if (_target != address(0)) {
            (bool ok, bytes memory result) = _target.call(_call);
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(result, 32), mload(result))
                }
            }
        }
        uint256 fee = (amount * feeBps) / 10_000;
        super._update(from, to, amount - fee);
        if (fee > 0) super._update(from, address(0), fee);
    }
}
