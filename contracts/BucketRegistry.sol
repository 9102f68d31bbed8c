// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IBucketRegistry} from "./interfaces/IBucketRegistry.sol";
import {BucketTypes} from "./libraries/BucketTypes.sol";
import {HeadWord, HeadWords} from "./libraries/HeadWord.sol";

/// @title See IBucketRegistry, the manual.
/// @dev A move writes two words and reads one more, the mover's right: 40,000 gas for the whole transaction leave room for no third
/// written word. Hence the 16 bytes of hash, the epoch beside the head, and the owner kept among the writers. No money is here and
/// the only call out is ERC-1271's, which is static: nothing can be re-entered.
contract BucketRegistry is IBucketRegistry, EIP712 {
    uint256 private constant TICKETS_PER_CALL_MAX = 256;

    /// Word 0: dealId. Word 1: see HeadWord.
    struct HeadRecord {
        bytes32 dealId;
        HeadWord word;
    }

    mapping(bytes32 bucketKey => HeadRecord) private _heads;
    /// An account moves the head while this is the bucket's epoch, which begins at 1. The owner is in here too.
    mapping(bytes32 bucketKey => mapping(address account => uint256 epoch)) private _writerEpochOf;
    /// @inheritdoc IBucketRegistry
    mapping(bytes32 bucketKey => address) public override ownerOf;
    /// @inheritdoc IBucketRegistry
    mapping(bytes32 bucketKey => address) public override pendingOwnerOf;
    mapping(address issuer => mapping(bytes32 ticketId => bool)) private _revoked;
    /// @inheritdoc IBucketRegistry
    mapping(address issuer => uint64 timestamp) public override revokedBeforeOf;
    /// @inheritdoc IBucketRegistry
    mapping(address account => uint256) public override nonceOf;

    constructor() EIP712("PPIO BucketRegistry", "1") {}

    // ---- buckets ----

    /// @inheritdoc IBucketRegistry
    function createBucket(bytes32 bucketId, Listing calldata listing) external returns (bytes32 bucketKey) {
        return _create(msg.sender, bucketId, listing);
    }

    /// @inheritdoc IBucketRegistry
    function createBucketWithSig(address creator, bytes32 bucketId, Listing calldata listing, uint64 deadline, bytes calldata signature)
        external
        returns (bytes32 bucketKey)
    {
        _requireSignature(creator, BucketTypes.hashCreate(creator, bucketId, listing, deadline), deadline, signature);
        return _create(creator, bucketId, listing);
    }

    /// @inheritdoc IBucketRegistry
    function moveHead(bytes32 bucketKey, uint64 expectedSeq, bytes16 expectedHash, Listing calldata listing) external {
        _move(bucketKey, msg.sender, expectedSeq, expectedHash, listing);
    }

    /// @inheritdoc IBucketRegistry
    function moveHeadWithSig(
        bytes32 bucketKey,
        address mover,
        uint64 expectedSeq,
        bytes16 expectedHash,
        Listing calldata listing,
        uint64 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = BucketTypes.hashMove(bucketKey, mover, expectedSeq, expectedHash, listing, deadline);
        _requireSignature(mover, structHash, deadline, signature);
        _move(bucketKey, mover, expectedSeq, expectedHash, listing);
    }

    function _create(address creator, bytes32 bucketId, Listing calldata listing) private returns (bytes32 bucketKey) {
        bucketKey = bucketKeyOf(creator, bucketId);
        if (ownerOf[bucketKey] != address(0)) revert BucketExists(bucketKey, ownerOf[bucketKey]);
        ownerOf[bucketKey] = creator;
        _writerEpochOf[bucketKey][creator] = 1;
        emit BucketCreated(bucketKey, creator, bucketId);
        _setHead(bucketKey, _heads[bucketKey], creator, listing, 1, 1);
    }

    function _move(bytes32 bucketKey, address mover, uint64 expectedSeq, bytes16 expectedHash, Listing calldata listing) private {
        HeadRecord storage head = _heads[bucketKey];
        HeadWord word = head.word;
        // In a bucket that is not there the epoch is 0, and so is everybody's.
        uint16 epoch = word.writerEpoch();
        if (epoch == 0) revert UnknownBucket(bucketKey);
        if (_writerEpochOf[bucketKey][mover] != epoch) revert NotWriter(bucketKey, mover);
        if (word.seq() != expectedSeq || word.hash() != expectedHash) revert StaleHead(bucketKey, headOf(bucketKey));
        _setHead(bucketKey, head, mover, listing, word.seq() + 1, epoch);
    }

    function _setHead(
        bytes32 bucketKey,
        HeadRecord storage head,
        address mover,
        Listing calldata l,
        uint32 seq,
        uint16 epoch
    ) private {
        (bytes32 dealId, uint64 offsetBytes, uint32 lengthBytes, bytes16 hash) = (l.dealId, l.offsetBytes, l.lengthBytes, l.hash);
        if (dealId == 0 || offsetBytes > type(uint48).max || lengthBytes == 0) {
            revert InvalidListing(dealId, offsetBytes, lengthBytes);
        }
        head.dealId = dealId;
        head.word = HeadWords.pack(hash, uint48(offsetBytes), lengthBytes, seq, epoch);
        emit HeadMoved(bucketKey, seq, mover, dealId, offsetBytes, lengthBytes, hash);
    }

    // ---- writers ----

    /// @inheritdoc IBucketRegistry
    function setWriter(bytes32 bucketKey, address writer, bool allowed) external {
        _requireOwner(bucketKey);
        _setWriter(bucketKey, writer, allowed);
    }

    /// @inheritdoc IBucketRegistry
    function setWriterWithSig(bytes32 bucketKey, address writer, bool allowed, uint64 deadline, bytes calldata signature) external {
        address owner = _existingOwner(bucketKey);
        bytes32 structHash = BucketTypes.hashSetWriter(bucketKey, writer, allowed, nonceOf[owner]++, deadline);
        _requireSignature(owner, structHash, deadline, signature);
        _setWriter(bucketKey, writer, allowed);
    }

    /// @inheritdoc IBucketRegistry
    function clearWriters(bytes32 bucketKey) external {
        _requireOwner(bucketKey);
        _clearWriters(bucketKey, msg.sender);
    }

    /// @inheritdoc IBucketRegistry
    function clearWritersWithSig(bytes32 bucketKey, uint64 deadline, bytes calldata signature) external {
        address owner = _existingOwner(bucketKey);
        _requireSignature(owner, BucketTypes.hashClearWriters(bucketKey, nonceOf[owner]++, deadline), deadline, signature);
        _clearWriters(bucketKey, owner);
    }

    function _setWriter(bytes32 bucketKey, address writer, bool allowed) private {
        if (writer == address(0)) revert ZeroAddress();
        if (writer == ownerOf[bucketKey]) revert WriterIsOwner(bucketKey, writer);
        _writerEpochOf[bucketKey][writer] = allowed ? _heads[bucketKey].word.writerEpoch() : 0;
        emit WriterSet(bucketKey, writer, allowed);
    }

    /// Opens a new epoch in which nobody but `owner` may write.
    function _clearWriters(bytes32 bucketKey, address owner) private {
        HeadWord word = _heads[bucketKey].word;
        uint16 epoch = word.writerEpoch() + 1;
        _heads[bucketKey].word = HeadWords.pack(word.hash(), word.offsetBytes(), word.lengthBytes(), word.seq(), epoch);
        _writerEpochOf[bucketKey][owner] = epoch;
        emit WritersCleared(bucketKey, epoch);
    }

    // ---- ownership ----

    /// @inheritdoc IBucketRegistry
    function offerOwnership(bytes32 bucketKey, address to) external {
        _requireOwner(bucketKey);
        _offer(bucketKey, msg.sender, to);
    }

    /// @inheritdoc IBucketRegistry
    function offerOwnershipWithSig(bytes32 bucketKey, address to, uint64 deadline, bytes calldata signature) external {
        address owner = _existingOwner(bucketKey);
        _requireSignature(owner, BucketTypes.hashOffer(bucketKey, to, nonceOf[owner]++, deadline), deadline, signature);
        _offer(bucketKey, owner, to);
    }

    /// @inheritdoc IBucketRegistry
    function acceptOwnership(bytes32 bucketKey) external {
        _accept(bucketKey, msg.sender);
    }

    /// @inheritdoc IBucketRegistry
    function acceptOwnershipWithSig(bytes32 bucketKey, uint64 deadline, bytes calldata signature) external {
        address to = pendingOwnerOf[bucketKey];
        if (to == address(0)) revert NotOffered(bucketKey, msg.sender, to);
        _requireSignature(to, BucketTypes.hashAccept(bucketKey, nonceOf[to]++, deadline), deadline, signature);
        _accept(bucketKey, to);
    }

    function _offer(bytes32 bucketKey, address owner, address to) private {
        pendingOwnerOf[bucketKey] = to;
        emit OwnershipOffered(bucketKey, owner, to);
    }

    function _accept(bytes32 bucketKey, address to) private {
        if (pendingOwnerOf[bucketKey] != to) revert NotOffered(bucketKey, to, pendingOwnerOf[bucketKey]);
        emit OwnershipTransferred(bucketKey, ownerOf[bucketKey], to);
        delete pendingOwnerOf[bucketKey];
        ownerOf[bucketKey] = to;
        _clearWriters(bucketKey, to);
    }

    // ---- tickets ----

    /// @inheritdoc IBucketRegistry
    function revokeTickets(bytes32[] calldata ticketIds) external {
        _revoke(msg.sender, ticketIds);
    }

    /// @inheritdoc IBucketRegistry
    function revokeTicketsWithSig(address issuer, bytes32[] calldata ticketIds, uint64 deadline, bytes calldata signature) external {
        _requireSignature(issuer, BucketTypes.hashRevoke(issuer, ticketIds, nonceOf[issuer]++, deadline), deadline, signature);
        _revoke(issuer, ticketIds);
    }

    /// @inheritdoc IBucketRegistry
    function revokeTicketsBefore(uint64 issuedBefore) external {
        _revokeBefore(msg.sender, issuedBefore);
    }

    /// @inheritdoc IBucketRegistry
    function revokeTicketsBeforeWithSig(address issuer, uint64 issuedBefore, uint64 deadline, bytes calldata signature) external {
        bytes32 structHash = BucketTypes.hashRevokeBefore(issuer, issuedBefore, nonceOf[issuer]++, deadline);
        _requireSignature(issuer, structHash, deadline, signature);
        _revokeBefore(issuer, issuedBefore);
    }

    function _revoke(address issuer, bytes32[] calldata ticketIds) private {
        if (ticketIds.length > TICKETS_PER_CALL_MAX) revert TooManyTickets(ticketIds.length, TICKETS_PER_CALL_MAX);
        for (uint256 i; i < ticketIds.length; ++i) {
            if (_revoked[issuer][ticketIds[i]]) continue;
            _revoked[issuer][ticketIds[i]] = true;
            emit TicketRevoked(issuer, ticketIds[i]);
        }
    }

    function _revokeBefore(address issuer, uint64 issuedBefore) private {
        if (issuedBefore > block.timestamp) revert NotInThePast(issuedBefore, uint64(block.timestamp));
        uint64 actual = revokedBeforeOf[issuer];
        if (issuedBefore <= actual) revert AlreadyRevokedBefore(issuedBefore, actual);
        revokedBeforeOf[issuer] = issuedBefore;
        emit TicketsRevokedBefore(issuer, issuedBefore);
    }

    // ---- views ----

    /// @inheritdoc IBucketRegistry
    function bucketKeyOf(address creator, bytes32 bucketId) public pure returns (bytes32 bucketKey) {
        return keccak256(abi.encode(creator, bucketId));
    }

    /// @inheritdoc IBucketRegistry
    function headOf(bytes32 bucketKey) public view returns (Head memory) {
        HeadWord word = _heads[bucketKey].word;
        return Head(Listing(_heads[bucketKey].dealId, word.offsetBytes(), word.lengthBytes(), word.hash()), word.seq());
    }

    /// @inheritdoc IBucketRegistry
    function isWriter(bytes32 bucketKey, address account) external view returns (bool) {
        uint16 epoch = _heads[bucketKey].word.writerEpoch();
        return epoch != 0 && _writerEpochOf[bucketKey][account] == epoch;
    }

    /// @inheritdoc IBucketRegistry
    function isRevoked(address issuer, bytes32 ticketId, uint64 issuedAt) external view returns (bool) {
        return issuedAt < revokedBeforeOf[issuer] || _revoked[issuer][ticketId];
    }

    /// @inheritdoc IBucketRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- inside ----

    function _existingOwner(bytes32 bucketKey) private view returns (address owner) {
        owner = ownerOf[bucketKey];
        if (owner == address(0)) revert UnknownBucket(bucketKey);
    }

    function _requireOwner(bytes32 bucketKey) private view {
        if (_existingOwner(bucketKey) != msg.sender) revert NotOwner(bucketKey, msg.sender);
    }

    function _requireSignature(address signer, bytes32 structHash, uint64 deadline, bytes calldata signature) private view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        if (SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidSignature(recovered, signer);
    }
}
