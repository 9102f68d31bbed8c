// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Sha256Merkle} from "./Sha256Merkle.sol";

/// @title Several leaves of one slot, drawn by a beacon and shown
library LeafProofs {
    /// @notice leaf(i) = keccak256(randomness, subject, i as 1 byte, purpose) mod leafCount, packed.
    function draw(bytes32 randomness, bytes memory subject, string memory purpose, uint256 count, uint256 leafCount)
        internal
        pure
        returns (uint256[] memory leaves)
    {
        leaves = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = uint256(keccak256(abi.encodePacked(randomness, subject, uint8(i), purpose))) % leafCount;
        }
    }

    /// @notice Whether `proof` (64 bytes, then siblings bottom up) shows the leaf under the root of a slot.
    function isValid(bytes32 root, uint256 leafCount, uint256 leaf, bytes calldata proof) internal view returns (bool) {
        if (proof.length != Sha256Merkle.LEAF_BYTES + 32 * Sha256Merkle.depth(leafCount)) return false;
        return Sha256Merkle.verify(root, leaf, proof);
    }
}
