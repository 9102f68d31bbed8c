// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";

/// @title EIP-712 struct hashes of the market (docs/protocol/typed-data.md)
library MarketTypes {
    bytes32 internal constant OFFER = keccak256(
        "Offer(uint32 providerId,uint32 operatorEpoch,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n,"
        "bytes32 headerHash,bytes32 root,uint64 leafCount,uint256 payPerPeriodWei,uint256 collateralWei,uint32 startBy,"
        "uint32 periods,uint32 renewUntil,uint64 expiry)"
    );
    bytes32 internal constant OPEN_DEAL = keccak256(
        "OpenDeal(address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,"
        "uint64 deadline)"
    );
    bytes32 internal constant TERMINATE_DEAL = keccak256("TerminateDeal(bytes32 dealId,uint64 deadline)");
    bytes32 internal constant WITHDRAW = keccak256("Withdraw(address account,address to,uint256 nonce,uint64 deadline)");

    bytes32 internal constant REFILL_SLOT = keccak256(
        "RefillSlot(bytes32 dealId,uint8 slotIndex,uint32 vacantFrom,uint32 providerId,uint256 collateralWei,uint64 deadline)"
    );
    bytes32 internal constant RENEW_DEAL = keccak256("RenewDeal(bytes32 dealId,uint32 newEnd,uint64 deadline)");

    /// @notice The encoded offer with everything that the offers of a deal have in common; `hashOffer` writes the rest into it.
    /// Words: 0 type | 1 providerId | 2 operatorEpoch | 3 owner | 4 payer | 5 dealSalt | 6 slotIndex | 7 k | 8 n | 9 headerHash |
    /// 10 root | 11 leafCount | 12 pay | 13 collateral | 14 startBy | 15 periods | 16 renewUntil | 17 expiry.
    function offerMessage(
        address owner,
        address payer,
        bytes32 dealSalt,
        uint8 k,
        uint8 n,
        bytes16 header,
        uint32 startBy,
        uint32 periods,
        uint32 renewUntil
    ) internal pure returns (bytes memory message) {
        // Two halves, because one call would need more stack than there is.
        bytes memory first = abi.encode(OFFER, 0, 0, owner, payer, dealSalt, 0, k, n, keccak256(abi.encodePacked(header)));
        message = bytes.concat(first, abi.encode(0, 0, 0, 0, startBy, periods, renewUntil, 0));
    }

    function hashOffer(bytes memory message, uint8 slotIndex, IStorageMarket.SlotOffer calldata o)
        internal
        pure
        returns (bytes32 hash)
    {
        (uint256 providerId, uint256 epoch, bytes32 root, uint256 leafCount) =
            (o.providerId, o.operatorEpoch, o.root, o.leafCount);
        (uint256 payWei, uint256 collateralWei, uint256 expiry) = (o.payPerPeriodWei, o.collateralWei, o.expiry);
        assembly ("memory-safe") {
            let words := add(message, 0x20)
            mstore(add(words, 0x20), providerId)
            mstore(add(words, 0x40), epoch)
            mstore(add(words, 0xc0), slotIndex)
            mstore(add(words, 0x140), root)
            mstore(add(words, 0x160), leafCount)
            mstore(add(words, 0x180), payWei)
            mstore(add(words, 0x1a0), collateralWei)
            mstore(add(words, 0x220), expiry)
            hash := keccak256(words, 0x240)
        }
    }
}
