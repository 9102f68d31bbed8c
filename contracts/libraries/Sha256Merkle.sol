// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Leaves of a SHA-256 binary Merkle tree (docs/protocol/tree.md)
/// @dev Depth is fixed by the leaf count on the chain, which rules out second preimages without domain prefixes.
library Sha256Merkle {
    uint256 internal constant LEAF_BYTES = 64;

    /// @notice ceil(log2(leafCount)) for 1 <= leafCount < 2^64.
    function depth(uint256 leafCount) internal pure returns (uint256 d) {
        uint256 v = leafCount - 1;
        if (v >> 32 != 0) {
            d = 32;
            v >>= 32;
        }
        if (v >> 16 != 0) {
            d += 16;
            v >>= 16;
        }
        if (v >> 8 != 0) {
            d += 8;
            v >>= 8;
        }
        if (v >> 4 != 0) {
            d += 4;
            v >>= 4;
        }
        if (v >> 2 != 0) {
            d += 2;
            v >>= 2;
        }
        if (v >> 1 != 0) {
            d += 1;
            v >>= 1;
        }
        d += v;
    }

    /// @notice Whether `proof` (leaf, then siblings bottom up) leads to `root`. The caller has checked
    /// proof.length == 64 + 32 x depth and index < 2^depth.
    function verify(bytes32 root, uint256 index, bytes calldata proof) internal view returns (bool valid) {
        assembly ("memory-safe") {
            // The running node lies at 0 or 32, the sibling in the other half: the scratch space is the pair to hash.
            calldatacopy(0, proof.offset, 64)
            let at := shl(5, and(index, 1))
            let ok := staticcall(gas(), 2, 0, 64, at, 32)
            let end := add(proof.offset, proof.length)
            for { let p := add(proof.offset, 64) } lt(p, end) { p := add(p, 32) } {
                mstore(xor(at, 32), calldataload(p))
                index := shr(1, index)
                at := shl(5, and(index, 1))
                ok := and(ok, staticcall(gas(), 2, 0, 64, at, 32))
            }
            valid := and(ok, eq(mload(at), root))
        }
    }
}
