// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {SponsorPool} from "./SponsorPool.sol";
import {ISponsorPools} from "./interfaces/ISponsorPools.sol";

/// @title See ISponsorPools, the manual.
contract SponsorPools is ISponsorPools {
    /// @inheritdoc ISponsorPools
    address public immutable override market;
    /// @inheritdoc ISponsorPools
    mapping(address pool => bool) public override isPool;

    constructor(address market_) {
        market = market_;
    }

    /// @inheritdoc ISponsorPools
    function createPool(address developer) external returns (address pool) {
        pool = poolOf(developer);
        if (isPool[pool]) revert PoolExists(developer, pool);
        isPool[pool] = true;
        emit PoolCreated(developer, pool);
        new SponsorPool{salt: bytes32(0)}(market, developer);
    }

    /// @inheritdoc ISponsorPools
    function poolOf(address developer) public view returns (address pool) {
        // The developer is in the code that is hashed, so one salt serves all.
        bytes memory code = abi.encodePacked(type(SponsorPool).creationCode, abi.encode(market, developer));
        return Create2.computeAddress(bytes32(0), keccak256(code));
    }
}
