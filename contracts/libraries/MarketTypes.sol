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

    /// What all offers of a deal have in common.
    struct OfferContext {
        address owner;
        address payer;
        bytes32 dealSalt;
        bytes32 headerHash;
        uint8 k;
        uint8 n;
        uint32 startBy;
        uint32 periods;
        uint32 renewUntil;
    }

    function hashOffer(OfferContext memory c, uint8 slotIndex, IStorageMarket.SlotOffer calldata o) internal pure returns (bytes32) {
        // Two halves, because one call would need more stack than there is.
        bytes memory first = abi.encode(
            OFFER, o.providerId, o.operatorEpoch, c.owner, c.payer, c.dealSalt, slotIndex, c.k, c.n, c.headerHash
        );
        bytes memory second = abi.encode(
            o.root, o.leafCount, o.payPerPeriodWei, o.collateralWei, c.startBy, c.periods, c.renewUntil, o.expiry
        );
        return keccak256(bytes.concat(first, second));
    }
}
