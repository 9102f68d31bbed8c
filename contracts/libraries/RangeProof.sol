// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Runs of neighbouring nodes in a SHA-256 tree (docs/protocol/tree.md, "Range proof")
library RangeProof {
    /// @notice Siblings that a run [first, first + count) needs in a tree of `height`: per level one on the left when it begins at an odd
    /// index, one on the right when it ends at an even one.
    function siblingCount(uint256 first, uint256 count, uint256 height) internal pure returns (uint256 needed) {
        uint256 last = first + count - 1;
        for (uint256 level; level < height; ++level) {
            needed += (first & 1) + (1 - (last & 1));
            first >>= 1;
            last >>= 1;
        }
    }

    /// @notice Root of a run of `count` nodes at `first`, the siblings behind them in `nodes`. The caller has checked that there are
    /// exactly as many as needed, and first + count <= 2^height.
    function root(bytes32[] memory nodes, uint256 first, uint256 count, uint256 height) internal pure returns (bytes32) {
        uint256 next = count;
        bytes32[] memory run = new bytes32[](count + 2);
        for (uint256 i; i < count; ++i) run[i + 1] = nodes[i];
        // The run lies at [1, count], so that a left sibling fits before it.
        for (uint256 level; level < height; ++level) {
            uint256 from = 1;
            uint256 to = count;
            if (first & 1 == 1) run[--from] = nodes[next++];
            if ((first + count - 1) & 1 == 0) run[++to] = nodes[next++];
            count = (to + 1 - from) >> 1;
            for (uint256 i; i < count; ++i) run[i + 1] = sha256(abi.encodePacked(run[from + 2 * i], run[from + 2 * i + 1]));
            first >>= 1;
        }
        return run[1];
    }
}
