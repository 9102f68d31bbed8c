// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What was taken in any seven days, in one word, so that a bound per week holds wherever a week begins
/// @dev Bits: 8 lanes x 16, lane i what was taken i days before the last use (bps) | day of the last use (since 1970) 128. Seven times 24
/// hours touch at most eight calendar days, so the sum of the lanes is never below what seven days took.
library WeekBudget {
    uint256 private constant LANE_BITS = 16;
    uint256 private constant LANES = 8;
    uint256 private constant DAY_SHIFT = LANE_BITS * LANES;

    /// @param bps asked for @param maxBps per week, below 2^16
    /// @return next the word to keep @return takenBps what is left of the week's budget, at most `bps`
    function take(uint256 word, uint256 bps, uint256 maxBps) internal view returns (uint256 next, uint256 takenBps) {
        uint256 today = block.timestamp / 1 days;
        uint256 idle = today - (word >> DAY_SHIFT);
        uint256 lanes = idle < LANES ? uint128(word << (LANE_BITS * idle)) : 0;
        uint256 spentBps;
        for (uint256 day; day < LANES; ++day) {
            spentBps += uint16(lanes >> (LANE_BITS * day));
        }
        // Each use takes at most what is left, so the sum never exceeds `maxBps`.
        takenBps = maxBps - spentBps;
        if (takenBps > bps) takenBps = bps;
        next = (today << DAY_SHIFT) | (lanes + takenBps);
    }
}
