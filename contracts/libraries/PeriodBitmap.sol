// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title One bit per period, 256 to a word
library PeriodBitmap {
    struct Bitmap {
        mapping(uint256 word => uint256 bits) words;
    }

    function get(Bitmap storage self, uint32 period) internal view returns (bool) {
        return (self.words[period >> 8] >> (period & 255)) & 1 == 1;
    }

    function set(Bitmap storage self, uint32 period) internal {
        self.words[period >> 8] |= 1 << (period & 255);
    }

    /// @notice Bits in [from, to) that are set.
    function count(Bitmap storage self, uint32 from, uint32 to) internal view returns (uint256 sum) {
        if (from >= to) return 0;
        uint256 last = (to - 1) >> 8;
        for (uint256 word = from >> 8; word <= last; ++word) {
            uint256 bits = self.words[word];
            if (word == from >> 8) bits &= type(uint256).max << (from & 255);
            if (word == last) bits &= type(uint256).max >> (255 - ((to - 1) & 255));
            sum += popcount(bits);
        }
    }

    /// @notice First period in [from, limit) set in neither bitmap; `limit` when there is none.
    function firstUnset(Bitmap storage self, Bitmap storage other, uint32 from, uint32 limit) internal view returns (uint32) {
        uint256 period = from;
        while (period < limit) {
            uint256 word = period >> 8;
            uint256 unset = ~(self.words[word] | other.words[word]) & (type(uint256).max << (period & 255));
            if (unset != 0) {
                // The lowest set bit alone, minus one, has as many set bits as there are below it.
                unchecked {
                    period = (word << 8) + popcount((unset & (~unset + 1)) - 1);
                }
                return period < limit ? uint32(period) : limit;
            }
            period = (word + 1) << 8;
        }
        return limit;
    }

    /// @notice Number of set bits.
    function popcount(uint256 v) internal pure returns (uint256) {
        unchecked {
            // Counts per 2, 4 and 8 bits side by side; then bytes are summed by a multiplication in two halves, since 256 does not
            // fit one byte.
            v -= (v >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            v = (v & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + ((v >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            v = (v & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                + ((v >> 8) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff);
            return (v * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }
}
