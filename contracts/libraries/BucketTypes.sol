// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IBucketRegistry} from "../interfaces/IBucketRegistry.sol";

/// @title EIP-712 struct hashes of the bucket registry (docs/protocol/typed-data.md)
library BucketTypes {
    bytes32 private constant CREATE_BUCKET = keccak256(
        "CreateBucket(address creator,bytes32 bucketId,bytes32 dealId,uint64 offsetBytes,uint32 lengthBytes,bytes16 hash,"
        "uint64 deadline)"
    );
    bytes32 private constant MOVE_HEAD = keccak256(
        "MoveHead(bytes32 bucketKey,address mover,uint64 expectedSeq,bytes16 expectedHash,bytes32 dealId,uint64 offsetBytes,"
        "uint32 lengthBytes,bytes16 hash,uint64 deadline)"
    );
    bytes32 private constant SET_WRITER =
        keccak256("SetWriter(bytes32 bucketKey,address writer,bool allowed,uint256 nonce,uint64 deadline)");
    bytes32 private constant CLEAR_WRITERS = keccak256("ClearWriters(bytes32 bucketKey,uint256 nonce,uint64 deadline)");
    bytes32 private constant OFFER_OWNERSHIP =
        keccak256("OfferOwnership(bytes32 bucketKey,address to,uint256 nonce,uint64 deadline)");
    bytes32 private constant ACCEPT_OWNERSHIP = keccak256("AcceptOwnership(bytes32 bucketKey,uint256 nonce,uint64 deadline)");
    bytes32 private constant REVOKE_TICKETS =
        keccak256("RevokeTickets(address issuer,bytes32[] ticketIds,uint256 nonce,uint64 deadline)");
    bytes32 private constant REVOKE_TICKETS_BEFORE =
        keccak256("RevokeTicketsBefore(address issuer,uint64 issuedBefore,uint256 nonce,uint64 deadline)");

    function hashCreate(address creator, bytes32 bucketId, IBucketRegistry.Listing calldata l, uint64 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CREATE_BUCKET, creator, bucketId, l.dealId, l.offsetBytes, l.lengthBytes, l.hash, deadline));
    }

    function hashMove(
        bytes32 bucketKey,
        address mover,
        uint64 expectedSeq,
        bytes16 expectedHash,
        IBucketRegistry.Listing calldata l,
        uint64 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                MOVE_HEAD, bucketKey, mover, expectedSeq, expectedHash, l.dealId, l.offsetBytes, l.lengthBytes, l.hash, deadline
            )
        );
    }

    function hashSetWriter(bytes32 bucketKey, address writer, bool allowed, uint256 nonce, uint64 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SET_WRITER, bucketKey, writer, allowed, nonce, deadline));
    }

    function hashClearWriters(bytes32 bucketKey, uint256 nonce, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLEAR_WRITERS, bucketKey, nonce, deadline));
    }

    function hashOffer(bytes32 bucketKey, address to, uint256 nonce, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(OFFER_OWNERSHIP, bucketKey, to, nonce, deadline));
    }

    function hashAccept(bytes32 bucketKey, uint256 nonce, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPT_OWNERSHIP, bucketKey, nonce, deadline));
    }

    function hashRevoke(address issuer, bytes32[] calldata ticketIds, uint256 nonce, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_TICKETS, issuer, keccak256(abi.encodePacked(ticketIds)), nonce, deadline));
    }

    function hashRevokeBefore(address issuer, uint64 issuedBefore, uint256 nonce, uint64 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_TICKETS_BEFORE, issuer, issuedBefore, nonce, deadline));
    }
}
