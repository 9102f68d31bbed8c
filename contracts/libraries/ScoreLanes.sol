// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title All seats' scores of one provider and term in one word, and their median
/// @dev Bits: 15 lanes x 14 (score + 1, 0 for none) | term 32 | done 1 = 243. A word of an earlier term counts as empty, so that words
/// are reused and cost an update instead of a new slot.
library ScoreLanes {
    uint256 internal constant SEATS_MAX = 15;
    uint256 internal constant SCORE_MAX = 10_000;
    uint256 private constant LANE_BITS = 14;
    uint256 private constant LANE_MASK = (1 << LANE_BITS) - 1;
    uint256 private constant TERM_SHIFT = SEATS_MAX * LANE_BITS;
    uint256 private constant DONE = 1 << (TERM_SHIFT + 32);

    function isOf(uint256 word, uint32 term) internal pure returns (bool) {
        return uint32(word >> TERM_SHIFT) == term;
    }

    function isDone(uint256 word) internal pure returns (bool) {
        return word & DONE != 0;
    }

    function markDone(uint256 word) internal pure returns (uint256) {
        return word | DONE;
    }

    /// The word with a seat's score in it; each seat writes once per term.
    function withScore(uint256 word, uint32 term, uint256 seat, uint256 score) internal pure returns (uint256) {
        if (!isOf(word, term)) word = uint256(term) << TERM_SHIFT;
        return word | ((score + 1) << (seat * LANE_BITS));
    }

    function has(uint256 word, uint256 seat) internal pure returns (bool) {
        return (word >> (seat * LANE_BITS)) & LANE_MASK != 0;
    }

    /// The seat must have a score.
    function isNear(uint256 word, uint256 seat, uint256 median_, uint256 tolerance) internal pure returns (bool) {
        uint256 score = ((word >> (seat * LANE_BITS)) & LANE_MASK) - 1;
        return score > median_ ? score - median_ <= tolerance : median_ - score <= tolerance;
    }

    /// The scores, ascending: insertion sort of at most 15.
    function sorted(uint256 word, uint256 seats) internal pure returns (uint256[] memory scores) {
        scores = new uint256[](seats);
        uint256 count;
        for (uint256 seat; seat < seats; ++seat) {
            if (!has(word, seat)) continue;
            uint256 score = ((word >> (seat * LANE_BITS)) & LANE_MASK) - 1;
            uint256 at = count++;
            for (; at > 0 && scores[at - 1] > score; --at) {
                scores[at] = scores[at - 1];
            }
            scores[at] = score;
        }
        // Only shortens: the words behind stay allocated.
        assembly ("memory-safe") {
            mstore(scores, count)
        }
    }

    /// Of an even number the mean of the two in the middle, rounded down. `scores` ascending and not empty.
    function median(uint256[] memory scores) internal pure returns (uint256) {
        uint256 half = scores.length / 2;
        return scores.length % 2 == 1 ? scores[half] : (scores[half - 1] + scores[half]) / 2;
    }
}
