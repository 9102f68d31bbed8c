// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What never changes of a deal, kept as the code of a contract
/// @notice A word of storage costs 22,100 gas, 32 bytes of code 6,400. The code: a STOP, so that nobody runs it, then owner 20 | payer 20 |
/// renewUntil 4 | header 16 | the n roots of 32 bytes (docs/adr/0002-slot-storage.md).
library FixedTerms {
    bytes1 private constant STOP = 0x00;
    uint256 private constant HEAD_BYTES = 60;

    error CodeNotKept();

    function write(address owner, address payer, uint32 renewUntil, bytes16 header, bytes32[] memory roots)
        internal
        returns (address at)
    {
        bytes memory code = abi.encodePacked(STOP, owner, payer, renewUntil, header, roots);
        // PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: gives what follows it back as code.
        bytes memory init = abi.encodePacked(hex"61", uint16(code.length), hex"80600a5f395ff3", code);
        assembly ("memory-safe") {
            at := create(0, add(init, 32), mload(init))
        }
        if (at == address(0)) revert CodeNotKept();
    }

    function read(address at) internal view returns (address owner, address payer, uint32 renewUntil, bytes16 header) {
        assembly ("memory-safe") {
            extcodecopy(at, 0, 1, HEAD_BYTES)
            owner := shr(96, mload(0))
            payer := shr(96, mload(20))
            renewUntil := shr(224, mload(40))
            header := shl(128, shr(128, mload(44)))
        }
    }

    function root(address at, uint256 slotIndex) internal view returns (bytes32 value) {
        assembly ("memory-safe") {
            extcodecopy(at, 0, add(add(1, HEAD_BYTES), shl(5, slotIndex)), 32)
            value := mload(0)
        }
    }
}
