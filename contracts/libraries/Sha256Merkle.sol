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

    /// @notice Whether a proof of `length` bytes is as long as the depth of a tree of `leafCount` leaves asks, 1 <= leafCount < 2^64:
    /// length == 64 + 32 x depth(leafCount), without computing the depth.
    function isProofLength(uint256 length, uint256 leafCount) internal pure returns (bool valid) {
        assembly ("memory-safe") {
            // A length below 64 makes `d` huge, and then 2^d is 0.
            let d := shr(5, sub(length, 64))
            let most := shl(d, 1)
            // 2^(d - 1) < leafCount <= 2^d; the half of 1 is 0.
            valid := and(and(iszero(and(length, 31)), iszero(gt(leafCount, most))), gt(leafCount, shr(1, most)))
        }
    }

    /// @notice Whether `proof` (leaf, then siblings bottom up) leads to `root`. The caller has checked
    /// proof.length == 64 + 32 x depth and index < 2^depth.
    function verify(bytes32 root, uint256 index, bytes calldata proof) internal view returns (bool valid) {
        assembly ("memory-safe") {
            // The running node lies at 0 or 32, the sibling in the other half: the scratch space is the pair to hash. Bit 5 of `bits`
            // is the offset of the running node.
            calldatacopy(0, proof.offset, 64)
            let bits := shl(5, index)
            let ok := staticcall(gas(), 2, 0, 64, and(bits, 32), 32)
            let p := add(proof.offset, 64)
            let end := add(proof.offset, proof.length)
            // Two levels in a round: the loop itself costs a third of what is not hashing.
            for { let even := sub(end, and(sub(end, p), 32)) } lt(p, even) { p := add(p, 64) } {
                mstore(and(not(bits), 32), calldataload(p))
                bits := shr(1, bits)
                ok := and(ok, staticcall(gas(), 2, 0, 64, and(bits, 32), 32))
                mstore(and(not(bits), 32), calldataload(add(p, 32)))
                bits := shr(1, bits)
                ok := and(ok, staticcall(gas(), 2, 0, 64, and(bits, 32), 32))
            }
            if lt(p, end) {
                mstore(and(not(bits), 32), calldataload(p))
                bits := shr(1, bits)
                ok := and(ok, staticcall(gas(), 2, 0, 64, and(bits, 32), 32))
            }
            valid := and(ok, eq(mload(and(bits, 32)), root))
        }
    }
}
