// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Test double: a smart account that signs by its key's signature (ERC-1271) until it is locked
contract ContractWallet is IERC1271 {
    address private immutable _key;
    bool private _locked;

    constructor(address key) {
        _key = key;
    }

    function lock() external {
        _locked = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        return !_locked && recovered == _key ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
