// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Drawing distinct places of a list from a seed
/// @dev The first `size` steps of a Fisher-Yates shuffle of 0…listed-1, of which only the places that moved are kept: work grows with
/// size squared (at most 15 x 15) and not with the list. The modulo's bias is below listed / 2^256.
library Sortition {
    function draw(bytes32 seed, address committee, uint32 term, uint256 listed, uint256 size)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        drawn = new uint256[](size);
        uint256[] memory places = new uint256[](size);
        uint256[] memory movedIn = new uint256[](size);
        for (uint256 i; i < size; ++i) {
            uint256 hash = uint256(keccak256(abi.encodePacked(seed, committee, term, uint32(i))));
            uint256 place = i + hash % (listed - i);
            drawn[i] = _at(places, movedIn, i, place);
            (places[i], movedIn[i]) = (place, _at(places, movedIn, i, i));
        }
    }

    /// What stands at `place` after `steps` exchanges; the latest one to touch it decides.
    function _at(uint256[] memory places, uint256[] memory movedIn, uint256 steps, uint256 place) private pure returns (uint256) {
        for (uint256 i = steps; i > 0; --i) {
            if (places[i - 1] == place) return movedIn[i - 1];
        }
        return place;
    }
}
