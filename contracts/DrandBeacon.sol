// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {DrandBls} from "./libraries/DrandBls.sol";

/// @title See IDrandBeacon, the manual.
contract DrandBeacon is IDrandBeacon {
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override genesisTime;
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override roundSeconds;
    /// @inheritdoc IDrandBeacon
    uint64 public immutable override maxLagSeconds;

    /// The key as code-resident words: cheaper to read than storage.
    bytes32 private immutable _key0;
    bytes32 private immutable _key1;
    bytes32 private immutable _key2;
    bytes32 private immutable _key3;
    bytes32 private immutable _key4;
    bytes32 private immutable _key5;
    bytes32 private immutable _key6;
    bytes32 private immutable _key7;

    /// @inheritdoc IDrandBeacon
    mapping(uint64 round => bytes32) public override randomness;
    /// Written for late rounds only, so that a punctual one costs one word.
    mapping(uint64 round => bool) private _late;

    constructor(bytes memory publicKey_, uint64 genesisTime_, uint64 roundSeconds_, uint64 maxLagSeconds_) {
        if (!DrandBls.isPublicKey(publicKey_) || roundSeconds_ == 0) revert InvalidPublicKey();
        bytes32[8] memory words = abi.decode(publicKey_, (bytes32[8]));
        (_key0, _key1, _key2, _key3) = (words[0], words[1], words[2], words[3]);
        (_key4, _key5, _key6, _key7) = (words[4], words[5], words[6], words[7]);
        genesisTime = genesisTime_;
        roundSeconds = roundSeconds_;
        maxLagSeconds = maxLagSeconds_;
    }

    /// @inheritdoc IDrandBeacon
    function submit(uint64 round, bytes calldata signature) external {
        if (randomness[round] != 0) return;
        uint256 roundTime = timeOfRound(round);
        if (block.timestamp < roundTime) revert RoundInFuture(round, roundTime, block.timestamp);
        if (signature.length != DrandBls.G1_BYTES) revert InvalidLength(signature.length, DrandBls.G1_BYTES);
        if (!DrandBls.verify(publicKey(), round, signature)) revert InvalidSignature(round);

        bytes32 value = DrandBls.randomness(signature);
        bool late = block.timestamp > roundTime + maxLagSeconds;
        randomness[round] = value;
        if (late) _late[round] = true;
        emit BeaconSubmitted(round, value, late);
    }

    /// @inheritdoc IDrandBeacon
    function verify(uint64 round, bytes calldata signature) external view returns (bool valid, bytes32 randomness_) {
        valid = DrandBls.verify(publicKey(), round, signature);
        if (valid) randomness_ = DrandBls.randomness(signature);
    }

    /// @inheritdoc IDrandBeacon
    function isOnTime(uint64 round) external view returns (bool) {
        return randomness[round] != 0 && !_late[round];
    }

    /// @inheritdoc IDrandBeacon
    function firstRoundAfter(uint256 timestamp) external view returns (uint64) {
        if (timestamp < genesisTime) return 1;
        return uint64((timestamp - genesisTime) / roundSeconds + 2);
    }

    /// @inheritdoc IDrandBeacon
    function timeOfRound(uint64 round) public view returns (uint256) {
        // Round 1 is due at genesis; round 0 does not exist.
        return round == 0 ? type(uint256).max : genesisTime + uint256(round - 1) * roundSeconds;
    }

    /// @inheritdoc IDrandBeacon
    function publicKey() public view returns (bytes memory) {
        return bytes.concat(_key0, _key1, _key2, _key3, _key4, _key5, _key6, _key7);
    }
}
