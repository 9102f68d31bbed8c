// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only administrator of what can be tuned
/// @notice OpenZeppelin's TimelockController whose delay can only move between two bounds that are in the bytecode: long enough to
/// leave under the old rules before new ones apply, short enough that nobody can freeze the parameters for ever. Roles and delay
/// change only by operations that waited themselves; there is no other admin.
/// @dev Invariants: L1 DELAY_MIN_SECONDS <= getMinDelay() <= DELAY_MAX_SECONDS; L2 nothing is executed earlier than the delay of its
/// scheduling; L3 the timelock is its own and only admin. Assumes that proposers name a delay they mean: one operation may ask for
/// more than the upper bound, which delays only itself.
contract PpioTimelock is TimelockController {
    /// Two days: a weekend's notice, more than any period or report window of a public deployment.
    uint256 public constant DELAY_MIN_SECONDS = 2 days;
    uint256 public constant DELAY_MAX_SECONDS = 30 days;

    error DelayOutOfBounds(uint256 delaySeconds, uint256 minSeconds, uint256 maxSeconds);

    /// @param proposers may schedule and cancel
    /// @param executors may execute what is ready; the zero address for anyone
    constructor(uint256 delaySeconds, address[] memory proposers, address[] memory executors)
        TimelockController(delaySeconds, proposers, executors, address(0))
    {
        _checkDelay(delaySeconds);
    }

    /// @notice Changes the delay of later operations, within the bounds. Only by an operation of this timelock.
    function updateDelay(uint256 newDelay) public override {
        _checkDelay(newDelay);
        super.updateDelay(newDelay);
    }

    function _checkDelay(uint256 delaySeconds) private pure {
        if (delaySeconds < DELAY_MIN_SECONDS || delaySeconds > DELAY_MAX_SECONDS) {
            revert DelayOutOfBounds(delaySeconds, DELAY_MIN_SECONDS, DELAY_MAX_SECONDS);
        }
    }
}
