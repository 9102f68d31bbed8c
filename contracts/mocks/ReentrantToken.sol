// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Test double: a token that calls somebody in the middle of its next transfer
contract ReentrantToken is ERC20 {
    address private _target;
    bytes private _data;
    bool private _isBefore;

    bool public hasCalled;
    bool public succeeded;
    bytes public answer;

    constructor() ERC20("Reentrant", "REE") {}

    function mint(address to, uint256 amountWei) external {
        _mint(to, amountWei);
    }

    /// @param isBefore Whether the call comes before balances move, or after.
    function arm(address target, bytes calldata data, bool isBefore) external {
        (_target, _data, _isBefore, hasCalled) = (target, data, isBefore, false);
    }

    /// @notice Lets this token act as an account: it approves, deposits, asks for withdrawals.
    function act(address target, bytes calldata data) external returns (bytes memory result) {
        bool isDone;
        (isDone, result) = target.call(data);
        if (!isDone) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    function _update(address from, address to, uint256 amountWei) internal override {
        if (_isBefore) _strike();
        super._update(from, to, amountWei);
        if (!_isBefore) _strike();
    }

    function _strike() private {
        if (_target == address(0)) return;
        address target = _target;
        _target = address(0);
        hasCalled = true;
        (succeeded, answer) = target.call(_data);
    }
}
