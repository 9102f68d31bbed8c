// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";

/// @title IStorageMarket.slotForProof without an ABI decoder
/// @notice Read for every sample of every proof: the copies and range checks of generated code cost 500 gas each time. The market is the
/// one contract whose answers are believed as they are.
library SlotReader {
    function slotForProof(IStorageMarket market, bytes32 dealId, uint256 slotIndex, uint256 providerId)
        internal
        view
        returns (bytes32 root, uint256 start, uint256 pay, uint256 leafCount, uint256 from, uint256 until)
    {
        bytes4 selector = IStorageMarket.slotForProof.selector;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(at, selector)
            mstore(add(at, 4), dealId)
            mstore(add(at, 36), slotIndex)
            mstore(add(at, 68), providerId)
            if iszero(staticcall(gas(), market, at, 100, at, 192)) {
                returndatacopy(at, 0, returndatasize())
                revert(at, returndatasize())
            }
            if lt(returndatasize(), 192) { revert(0, 0) }
            root := mload(at)
            start := mload(add(at, 32))
            pay := mload(add(at, 64))
            leafCount := mload(add(at, 96))
            from := mload(add(at, 128))
            until := mload(add(at, 160))
        }
    }
}
