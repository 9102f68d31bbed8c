// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Verified randomness, by drand round
/// @notice Scheme `bls-unchained-g1-rfc9380` (drand quicknet): signatures on G1 over sha256(round as 8 big-endian bytes),
/// public key on G2. Anyone may submit; a wrong signature reverts.
/// @dev Invariants: B1 a stored randomness never changes; B2 whether a round was late never changes;
/// B3 a round is on time when it was submitted at most `maxLagSeconds` after the round's own time.
interface IDrandBeacon {
    event BeaconSubmitted(uint64 indexed round, bytes32 randomness, bool late);

    error InvalidSignature(uint64 round);
    error InvalidLength(uint256 actual, uint256 expected);
    error InvalidPublicKey();
    error RoundInFuture(uint64 round, uint256 roundTime, uint256 now_);

    /// @notice Verifies and stores a round; a repeated round is a no-op.
    /// @param signature the G1 point, uncompressed, in the layout of EIP-2537 (128 bytes)
    function submit(uint64 round, bytes calldata signature) external;

    /// @notice sha256 of the compressed signature, as drand publishes it; 0 while unknown.
    function randomness(uint64 round) external view returns (bytes32);
    /// @notice Known, and submitted within `maxLagSeconds` of its time.
    function isOnTime(uint64 round) external view returns (bool);
    /// @notice The first round after `timestamp` and its randomness, 0 unless it is known and came on time.
    function seedAfter(uint256 timestamp) external view returns (uint64 round, bytes32 randomness_);
    /// @notice Verification alone, for tools and tests.
    function verify(uint64 round, bytes calldata signature) external view returns (bool valid, bytes32 randomness_);
    /// @notice Unix seconds at which the round is due.
    function timeOfRound(uint64 round) external view returns (uint256);
    /// @notice First round whose time is strictly after `timestamp`.
    function firstRoundAfter(uint256 timestamp) external view returns (uint64);
    function genesisTime() external view returns (uint64);
    function roundSeconds() external view returns (uint64);
    function maxLagSeconds() external view returns (uint64);
    /// @notice The group's public key on G2, 256 bytes in the layout of EIP-2537.
    function publicKey() external view returns (bytes memory);
}
