// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IFraudProofs} from "./interfaces/IFraudProofs.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {RangeProof} from "./libraries/RangeProof.sol";
import {Sha256Merkle} from "./libraries/Sha256Merkle.sol";

/// @title See IFraudProofs, the manual.
contract FraudProofs is IFraudProofs {
    bytes32 private constant READ_ANSWER = keccak256(
        "ReadAnswer(bytes32 dealId,uint8 slotIndex,uint64 firstCell,bytes32 rootsHash,uint64 servedAt)"
    );

    IStorageMarket private immutable _market;
    IProviderRegistry private immutable _registry;
    IPossessionProofs private immutable _proofs;

    constructor(IStorageMarket market, IProviderRegistry registry, IPossessionProofs proofs) {
        _market = market;
        _registry = registry;
        _proofs = proofs;
    }

    /// @inheritdoc IFraudProofs
    function proveLie(
        uint32 providerId,
        uint32 operatorEpoch,
        ReadAnswer calldata answer,
        bytes calldata signature,
        uint32 cellCount,
        bytes32[] calldata nodes
    ) external returns (uint256 slashedWei) {
        _requireSigned(providerId, operatorEpoch, answer, signature);
        bytes32 rootsHash = keccak256(abi.encodePacked(cellCount, nodes));
        if (rootsHash != answer.rootsHash) revert RootsDoNotMatch(rootsHash, answer.rootsHash);
        _requireContradiction(providerId, answer, cellCount, nodes);
        slashedWei = _proofs.punishMalice(providerId, msg.sender);
        emit LieProven(providerId, answer.dealId, answer.slotIndex, msg.sender, slashedWei);
    }

    function _requireSigned(uint32 providerId, uint32 epoch, ReadAnswer calldata a, bytes calldata signature) private view {
        bytes32 structHash = keccak256(abi.encode(READ_ANSWER, a.dealId, a.slotIndex, a.firstCell, a.rootsHash, a.servedAt));
        bytes32 digest = MessageHashUtils.toTypedDataHash(_market.domainSeparator(), structHash);
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err != ECDSA.RecoverError.NoError || signer != _registry.operatorAt(providerId, epoch)) {
            revert InvalidSignature(providerId, epoch, signer);
        }
    }

    function _requireContradiction(uint32 providerId, ReadAnswer calldata a, uint32 cellCount, bytes32[] calldata nodes) private view {
        IStorageMarket.Deal memory deal = _market.deal(a.dealId);
        (bytes32 root,, uint64 pay, uint64 leafCount,,) = _market.slotForProof(a.dealId, a.slotIndex, providerId);
        if (pay == 0) revert NotTheProvidersSlot(a.dealId, a.slotIndex, providerId);
        (, uint256 notBefore) = _proofs.periodBounds(deal.start);
        if (a.servedAt < notBefore * 1000) revert ServedBeforeDeal(a.servedAt, notBefore * 1000);

        // version 8 | k 8 | n 8 | log2(cellBytes) 8 | lastCellBytes 32 | rows 64
        uint256 cellHeight = uint8(deal.header[3]) - 6;
        uint256 rows = uint64(uint128(deal.header));
        if (cellCount == 0 || a.firstCell + cellCount > rows) revert CellsOutOfRange(a.firstCell, cellCount, rows);
        // A slot of one cell is only as high as its leaves need: the cell's root is the slot's.
        uint256 height = rows == 1 ? 0 : Sha256Merkle.depth(leafCount) - cellHeight;
        uint256 expected = cellCount + RangeProof.siblingCount(a.firstCell, cellCount, height);
        if (nodes.length != expected) revert MalformedAnswer(nodes.length, expected);
        if (RangeProof.root(nodes, a.firstCell, cellCount, height) == root) revert AnswerIsTrue(root);
    }
}
