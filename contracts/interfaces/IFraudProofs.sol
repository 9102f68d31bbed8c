// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Proofs that a provider signed a lie
/// @notice Every answer to a read carries the operator's signature over `ReadAnswer`: the roots of the cells served and their way to the
/// slot's root. One that does not lead to the root on the chain is a lie whoever looks at it: all collateral is taken, the provider is
/// evicted, the finder gets its part. An honest provider checks before it signs and never comes here; what is malformed is refused by
/// readers and is no proof.
/// @dev Invariants: F1 an answer that leads to the slot's root proves nothing; F2 nor does one of another chain, market, deal, slot or
/// provider, one signed by anybody but an operator of the provider, or one served before the deal's first period was over (until then an
/// owner may still have shown the provider other bytes under the same deal).
interface IFraudProofs {
    /// @notice The signed message, EIP-712 in the market's domain:
    /// ReadAnswer(bytes32 dealId,uint8 slotIndex,uint64 firstCell,bytes32 rootsHash,uint64 servedAt)
    struct ReadAnswer {
        bytes32 dealId;
        uint8 slotIndex;
        uint64 firstCell;
        /// keccak256 of the number of cells (4 bytes), the cell roots, then the siblings.
        bytes32 rootsHash;
        /// Unix milliseconds.
        uint64 servedAt;
    }

    event LieProven(uint32 indexed providerId, bytes32 indexed dealId, uint8 slotIndex, address finder, uint256 slashedWei);

    error InvalidSignature(uint32 providerId, uint32 operatorEpoch, address recovered);
    error RootsDoNotMatch(bytes32 actual, bytes32 signed);
    error MalformedAnswer(uint256 nodes, uint256 expected);
    error CellsOutOfRange(uint256 firstCell, uint256 cellCount, uint256 rows);
    error NotTheProvidersSlot(bytes32 dealId, uint8 slotIndex, uint32 providerId);
    error ServedBeforeDeal(uint64 servedAt, uint256 notBefore);
    error AnswerIsTrue(bytes32 root);

    /// @notice Proves a lie; the caller is the finder.
    /// @param operatorEpoch whose key signed; past ones count too
    /// @param cellCount cell roots at the beginning of `nodes`; siblings follow, bottom up, on each level left before right
    function proveLie(
        uint32 providerId,
        uint32 operatorEpoch,
        ReadAnswer calldata answer,
        bytes calldata signature,
        uint32 cellCount,
        bytes32[] calldata nodes
    ) external returns (uint256 slashedWei);
}
