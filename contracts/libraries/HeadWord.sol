// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// What a bucket keeps beside its deal id, in one word, highest bits first:
/// hash 128 | offset 48 | length 32 | seq 32 | writerEpoch 16 (256 bits). 2^32 moves at one a second take 136 years.
type HeadWord is uint256;

using HeadWords for HeadWord global;

/// @title Packing of HeadWord
/// @dev By hand, because the compiler writes a packed struct once per member, which a head move has no gas for.
library HeadWords {
    function pack(bytes16 hash_, uint48 offsetBytes_, uint32 lengthBytes_, uint32 seq_, uint16 writerEpoch_)
        internal
        pure
        returns (HeadWord)
    {
        return HeadWord.wrap(
            uint256(bytes32(hash_)) | (uint256(offsetBytes_) << 80) | (uint256(lengthBytes_) << 48) | (uint256(seq_) << 16)
                | writerEpoch_
        );
    }

    function hash(HeadWord word) internal pure returns (bytes16) {
        return bytes16(bytes32(HeadWord.unwrap(word)));
    }

    function offsetBytes(HeadWord word) internal pure returns (uint48) {
        return uint48(HeadWord.unwrap(word) >> 80);
    }

    function lengthBytes(HeadWord word) internal pure returns (uint32) {
        return uint32(HeadWord.unwrap(word) >> 48);
    }

    function seq(HeadWord word) internal pure returns (uint32) {
        return uint32(HeadWord.unwrap(word) >> 16);
    }

    /// 0: there is no such bucket.
    function writerEpoch(HeadWord word) internal pure returns (uint16) {
        return uint16(HeadWord.unwrap(word));
    }
}
