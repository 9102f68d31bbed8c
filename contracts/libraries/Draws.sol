// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title The draws of a period (docs/protocol/challenge.md)
/// @dev What abi.encodePacked would do, in scratch space: both are computed for every sample of every proof.
library Draws {
    /// @notice keccak256(seed ‖ providerId ‖ period ‖ draw), 44 bytes.
    function point(bytes32 seed, uint32 providerId, uint32 period, uint256 draw) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            mstore(0, seed)
            mstore(32, shl(160, or(or(shl(64, providerId), shl(32, period)), draw)))
            hash := keccak256(0, 44)
        }
    }

    /// @notice keccak256(seed ‖ providerId ‖ period ‖ draw ‖ "leaf"), 48 bytes.
    function leaf(bytes32 seed, uint32 providerId, uint32 period, uint256 draw) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            mstore(0, seed)
            mstore(32, shl(128, or(shl(32, or(or(shl(64, providerId), shl(32, period)), draw)), 0x6c656166)))
            hash := keccak256(0, 48)
        }
    }
}
