// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title A set of ids other than 0, in memory
/// @dev Open addressing: ids that are given out in a row do not collide. Who chooses ids that do pays for looking at all of them, which is
/// what a plain list costs everybody.
library IdSet {
    /// @notice A table for at most `count` ids: at least half of it stays empty, so that a search ends.
    function create(uint256 count) internal pure returns (uint256[] memory table) {
        uint256 size = 2;
        while (size < 2 * count) size <<= 1;
        table = new uint256[](size);
    }

    /// @return isNew whether `id` was not in the set
    function add(uint256[] memory table, uint256 id) internal pure returns (bool isNew) {
        assembly ("memory-safe") {
            let mask := sub(mload(table), 1)
            let first := add(table, 32)
            for { let at := id } 1 { at := add(at, 1) } {
                let place := add(first, shl(5, and(at, mask)))
                let there := mload(place)
                if eq(there, id) { break }
                if iszero(there) {
                    mstore(place, id)
                    isNew := 1
                    break
                }
            }
        }
    }
}
