// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {RangeProof} from "../libraries/RangeProof.sol";
import {Sha256Merkle} from "../libraries/Sha256Merkle.sol";

/// @title The tree libraries, callable from tests
contract MerkleHarness {
    function depth(uint256 leafCount) external pure returns (uint256) {
        return Sha256Merkle.depth(leafCount);
    }

    function isProofLength(uint256 length, uint256 leafCount) external pure returns (bool) {
        return Sha256Merkle.isProofLength(length, leafCount);
    }

    function verify(bytes32 root, uint256 index, bytes calldata proof) external view returns (bool) {
        return Sha256Merkle.verify(root, index, proof);
    }

    function rangeRoot(bytes32[] calldata nodes, uint256 first, uint256 count, uint256 height) external pure returns (bytes32) {
        return RangeProof.root(nodes, first, count, height);
    }
}
