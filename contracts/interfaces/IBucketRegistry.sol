// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Where every bucket's newest listing lies, who may move it, and which tickets are void
/// @notice A bucket has one *head*: which bytes of which deal are its newest sealed listing (docs/protocol/buckets.md). The head is
/// in the chain's state, so a mnemonic and a node are enough to find everything; no log and no server is needed.
///
/// **Names.** `bucketId` is a keyed hash that the client makes; it reveals no name. State is keyed by
/// `bucketKey = keccak256(abi.encode(creator, bucketId))`, where the creator is who sends or signs the creation. Whoever sees a
/// `bucketId` in the mempool can only create a bucket of its own under it, which is another key: there is nothing to squat. The key
/// stays the same when the owner changes.
///
/// **Moves** are a compare-and-swap on (seq, hash) of the head that the mover read. `seq` alone would do on a chain that never
/// reorganises; with the hash, a move that was built on a head which a reorganisation replaced is refused too. A lost race reverts
/// with `StaleHead`, which carries the actual head: read that listing, merge, store, move again.
///
/// **Absent on purpose**: whether the deal exists and holds the listing is not checked (readers see it at once; the check would
/// double the price of a move). Buckets are never deleted, so that no `seq`, and with it no signature, can come back.
///
/// **Signed forms** (`…WithSig`) do the same for a signer who holds no gas: EIP-712, domain name "PPIO BucketRegistry", version "1",
/// chain id, this contract; accounts with code answer for themselves (ERC-1271). Creations and moves need no nonce: a key is created
/// once and a `seq` never returns. The others take the signer's next `nonceOf`.
/// @dev Invariants:
/// K1 a key is created once, by or for the creator in it; from then on it has an owner, never the zero address;
/// K2 `seq` is 1 at creation and grows by exactly one with each move; nothing else changes it;
/// K3 a head is replaced only by who named its `seq` and its hash;
/// K4 only the owner and the writers it registered move the head; only the owner changes writers and offers the bucket on;
/// K5 the owner changes only to the account that it last offered the bucket to, by that account's acceptance, and at that moment
/// every writer and the old owner lose their rights;
/// K6 a signature counts once, until its deadline, on this chain, for this contract, for the message signed;
/// K7 a revocation is never undone: revoked ids stay revoked, `revokedBeforeOf` never falls and never lies in the future.
interface IBucketRegistry {
    /// @notice Which bytes of which deal are a sealed listing.
    struct Listing {
        bytes32 dealId;
        /// Place in the deal's data cells; below 2^48.
        uint64 offsetBytes;
        /// At least 1.
        uint32 lengthBytes;
        /// The first 16 bytes of the SHA-256 of the sealed listing. The deal's roots fix its bytes already; this is the reader's
        /// check after decoding, for which 128 bits against a second preimage are enough.
        bytes16 hash;
    }

    struct Head {
        Listing listing;
        /// 1 for the first; one more with every move. 0: there is no such bucket.
        uint64 seq;
    }

    event BucketCreated(bytes32 indexed bucketKey, address indexed creator, bytes32 bucketId);
    event HeadMoved(
        bytes32 indexed bucketKey,
        uint64 seq,
        address mover,
        bytes32 dealId,
        uint64 offsetBytes,
        uint32 lengthBytes,
        bytes16 hash
    );
    event WriterSet(bytes32 indexed bucketKey, address indexed writer, bool allowed);
    /// @notice No writer that was registered before this is one any more.
    event WritersCleared(bytes32 indexed bucketKey, uint16 writerEpoch);
    event OwnershipOffered(bytes32 indexed bucketKey, address indexed owner, address indexed to);
    event OwnershipTransferred(bytes32 indexed bucketKey, address indexed from, address indexed to);
    /// @notice Providers follow these two and honour them within 60 s.
    event TicketRevoked(address indexed issuer, bytes32 indexed ticketId);
    event TicketsRevokedBefore(address indexed issuer, uint64 issuedBefore);

    error BucketExists(bytes32 bucketKey, address owner);
    error UnknownBucket(bytes32 bucketKey);
    error StaleHead(bytes32 bucketKey, Head actual);
    error InvalidListing(bytes32 dealId, uint64 offsetBytes, uint32 lengthBytes);
    error NotWriter(bytes32 bucketKey, address caller);
    error NotOwner(bytes32 bucketKey, address caller);
    error NotOffered(bytes32 bucketKey, address caller, address pendingOwner);
    error ZeroAddress();
    /// @notice The owner moves heads by being the owner; it is no writer that could be set.
    error WriterIsOwner(bytes32 bucketKey, address owner);
    error TooManyTickets(uint256 count, uint256 max);
    error NotInThePast(uint64 issuedBefore, uint64 timestamp);
    error AlreadyRevokedBefore(uint64 issuedBefore, uint64 actual);
    error AuthorizationExpired(uint64 deadline);
    error InvalidSignature(address recovered, address expected);

    // ---- buckets ----

    /// @notice Makes the caller's bucket `bucketId`, with its first head (seq 1).
    function createBucket(bytes32 bucketId, Listing calldata listing) external returns (bytes32 bucketKey);

    /// @notice `createBucket` for `creator`, who signed CreateBucket(address creator,bytes32 bucketId,bytes32 dealId,
    /// uint64 offsetBytes,uint32 lengthBytes,bytes16 hash,uint64 deadline).
    function createBucketWithSig(address creator, bytes32 bucketId, Listing calldata listing, uint64 deadline, bytes calldata signature)
        external
        returns (bytes32 bucketKey);

    /// @notice Puts `listing` in the place of the head that has this seq and hash. Owner or writer.
    function moveHead(bytes32 bucketKey, uint64 expectedSeq, bytes16 expectedHash, Listing calldata listing) external;

    /// @notice `moveHead` for `mover`, who signed MoveHead(bytes32 bucketKey,address mover,uint64 expectedSeq,bytes16 expectedHash,
    /// bytes32 dealId,uint64 offsetBytes,uint32 lengthBytes,bytes16 hash,uint64 deadline).
    function moveHeadWithSig(
        bytes32 bucketKey,
        address mover,
        uint64 expectedSeq,
        bytes16 expectedHash,
        Listing calldata listing,
        uint64 deadline,
        bytes calldata signature
    ) external;

    // ---- writers ----

    /// @notice Registers or removes a writer. Owner only.
    function setWriter(bytes32 bucketKey, address writer, bool allowed) external;

    /// @notice `setWriter`; the owner signed SetWriter(bytes32 bucketKey,address writer,bool allowed,uint256 nonce,uint64 deadline).
    function setWriterWithSig(bytes32 bucketKey, address writer, bool allowed, uint64 deadline, bytes calldata signature) external;

    /// @notice Removes all writers at once, however many. Owner only; 65,535 times per bucket, transfers included.
    function clearWriters(bytes32 bucketKey) external;

    /// @notice `clearWriters`; the owner signed ClearWriters(bytes32 bucketKey,uint256 nonce,uint64 deadline).
    function clearWritersWithSig(bytes32 bucketKey, uint64 deadline, bytes calldata signature) external;

    // ---- ownership ----

    /// @notice Offers the bucket to `to`, in the place of any earlier offer; the zero address takes the offer back. Owner only.
    function offerOwnership(bytes32 bucketKey, address to) external;

    /// @notice `offerOwnership`; the owner signed OfferOwnership(bytes32 bucketKey,address to,uint256 nonce,uint64 deadline).
    function offerOwnershipWithSig(bytes32 bucketKey, address to, uint64 deadline, bytes calldata signature) external;

    /// @notice Makes the caller the owner, if the bucket is offered to it; the old owner and all writers lose their rights.
    function acceptOwnership(bytes32 bucketKey) external;

    /// @notice `acceptOwnership`; who it is offered to signed AcceptOwnership(bytes32 bucketKey,uint256 nonce,uint64 deadline).
    function acceptOwnershipWithSig(bytes32 bucketKey, uint64 deadline, bytes calldata signature) external;

    // ---- tickets ----

    /// @notice Revokes the caller's tickets with these ids, at most 256; those revoked before are passed over.
    function revokeTickets(bytes32[] calldata ticketIds) external;

    /// @notice `revokeTickets`; the issuer signed RevokeTickets(address issuer,bytes32[] ticketIds,uint256 nonce,uint64 deadline).
    function revokeTicketsWithSig(address issuer, bytes32[] calldata ticketIds, uint64 deadline, bytes calldata signature) external;

    /// @notice Revokes all of the caller's tickets issued before `issuedBefore` (Unix seconds, not in the future), known or not.
    function revokeTicketsBefore(uint64 issuedBefore) external;

    /// @notice `revokeTicketsBefore`; the issuer signed RevokeTicketsBefore(address issuer,uint64 issuedBefore,uint256 nonce,
    /// uint64 deadline).
    function revokeTicketsBeforeWithSig(address issuer, uint64 issuedBefore, uint64 deadline, bytes calldata signature) external;

    // ---- views ----

    /// @notice keccak256(abi.encode(creator, bucketId)).
    function bucketKeyOf(address creator, bytes32 bucketId) external pure returns (bytes32 bucketKey);
    /// @notice The zero head (seq 0) when there is no such bucket.
    function headOf(bytes32 bucketKey) external view returns (Head memory);
    /// @notice The zero address when there is no such bucket.
    function ownerOf(bytes32 bucketKey) external view returns (address);
    /// @notice Whom the bucket is offered to; the zero address for nobody.
    function pendingOwnerOf(bytes32 bucketKey) external view returns (address);
    /// @notice Whether the account may move the head: the owner and its writers may.
    function isWriter(bytes32 bucketKey, address account) external view returns (bool);
    /// @notice Whether a ticket that `issuer` signed at `issuedAt` (Unix seconds) is void. Two words are read.
    function isRevoked(address issuer, bytes32 ticketId, uint64 issuedAt) external view returns (bool);
    /// @notice Tickets of `issuer` from before this time (Unix seconds) are void.
    function revokedBeforeOf(address issuer) external view returns (uint64);
    function nonceOf(address account) external view returns (uint256);
    function domainSeparator() external view returns (bytes32);
}
