// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {Bls12381} from "./libraries/Bls12381.sol";

/// @title See IDrandBeacon, the manual.
contract DrandBeacon is IDrandBeacon {
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override genesisTime;
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override roundSeconds;
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override maxLagSeconds;

    /// The public key, word by word: immutables cost no storage read in every verification.
    bytes32 private immutable _key0;
    bytes32 private immutable _key1;
    bytes32 private immutable _key2;
    bytes32 private immutable _key3;
    bytes32 private immutable _key4;
    bytes32 private immutable _key5;
    bytes32 private immutable _key6;
    bytes32 private immutable _key7;

    /// Apart, so that who wants a round in time reads one word.
    mapping(uint64 round => bytes32) private _onTime;
    mapping(uint64 round => bytes32) private _late;

    constructor(bytes memory publicKey_, uint64 genesisTime_, uint64 roundSeconds_, uint64 maxLagSeconds_) {
        if (publicKey_.length != Bls12381.G2_BYTES) revert InvalidLength(publicKey_.length, Bls12381.G2_BYTES);
        if (!Bls12381.isPublicKey(publicKey_)) revert InvalidPublicKey();
        if (roundSeconds_ == 0) revert InvalidLength(roundSeconds_, 1);
        bytes32[8] memory key = abi.decode(publicKey_, (bytes32[8]));
        (_key0, _key1, _key2, _key3) = (key[0], key[1], key[2], key[3]);
        (_key4, _key5, _key6, _key7) = (key[4], key[5], key[6], key[7]);
        genesisTime = genesisTime_;
        roundSeconds = roundSeconds_;
        maxLagSeconds = maxLagSeconds_;
    }

    /// @inheritdoc IDrandBeacon
    function submit(uint64 round, bytes calldata signature) external {
        if (_onTime[round] != 0) return;
        if (round == 0) revert InvalidSignature(round);
        uint256 due = timeOfRound(round);
        if (block.timestamp < due) revert RoundInFuture(round, due, block.timestamp);
        // Only what is late now can have been late before: a round in time is looked up once.
        bool late = block.timestamp > due + maxLagSeconds;
        if (late && _late[round] != 0) return;
        (bool valid, bytes32 randomness_) = verify(round, signature);
        if (!valid) revert InvalidSignature(round);
        if (late) _late[round] = randomness_;
        else _onTime[round] = randomness_;
        emit BeaconSubmitted(round, randomness_, late);
    }

    /// @inheritdoc IDrandBeacon
    function isOnTime(uint64 round) external view returns (bool) {
        return _onTime[round] != 0;
    }

    /// @inheritdoc IDrandBeacon
    function seedAfter(uint256 timestamp) external view returns (uint64 round, bytes32 randomness_) {
        round = firstRoundAfter(timestamp);
        randomness_ = _onTime[round];
    }

    /// @inheritdoc IDrandBeacon
    function firstRoundAfter(uint256 timestamp) public view returns (uint64) {
        if (timestamp < genesisTime) return 1;
        // Round 1 is due at genesis itself.
        return uint64((timestamp - genesisTime) / roundSeconds + 2);
    }

    /// @inheritdoc IDrandBeacon
    function randomness(uint64 round) public view returns (bytes32) {
        bytes32 inTime = _onTime[round];
        return inTime != 0 ? inTime : _late[round];
    }

    /// @inheritdoc IDrandBeacon
    function verify(uint64 round, bytes calldata signature) public view returns (bool valid, bytes32 randomness_) {
        if (signature.length != Bls12381.G1_BYTES) revert InvalidLength(signature.length, Bls12381.G1_BYTES);
        valid = Bls12381.verify(publicKey(), abi.encodePacked(sha256(abi.encodePacked(round))), signature);
        if (valid) randomness_ = sha256(Bls12381.compress(signature));
    }

    /// @inheritdoc IDrandBeacon
    function timeOfRound(uint64 round) public view returns (uint256) {
        return uint256(genesisTime) + uint256(round - 1) * roundSeconds;
    }

    /// @inheritdoc IDrandBeacon
    function publicKey() public view returns (bytes memory) {
        return abi.encodePacked(_key0, _key1, _key2, _key3, _key4, _key5, _key6, _key7);
    }
}
