// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Create3} from "@openzeppelin/contracts/utils/Create3.sol";
import {PossessionProofs} from "../PossessionProofs.sol";
import {StorageMarket} from "../StorageMarket.sol";

/// @title Puts the market and the proofs at addresses that are known before they exist
/// @notice The core contracts name each other in immutables, in circles. Every circle runs through the market or the proofs, so these
/// two are created here by CREATE3, where an address depends on this contract alone: neither on code nor on anybody's nonce. All
/// others are created in the ordinary way with these two addresses. Once both exist this contract can do nothing any more; no
/// contract knows it, and it has no part in what they do.
/// @dev Invariants: D1 only `deployer` creates; D2 each of the two is created once; D3 it is created exactly where `market()` and
/// `proofs()` always said. Creation code comes with the call because together it is larger than a contract may be.
contract CoreDeployer {
    /// Where a library's address belongs in creation code.
    struct Link {
        address library_;
        uint256[] offsets;
    }

    bytes32 private constant MARKET = keccak256("StorageMarket");
    bytes32 private constant PROOFS = keccak256("PossessionProofs");
    uint256 private constant ADDRESS_BYTES = 20;

    address public immutable deployer = msg.sender;

    event Deployed(address at);

    error NotDeployer(address caller);
    error InvalidLink(address library_, uint256 offset);

    modifier onlyDeployer() {
        if (msg.sender != deployer) revert NotDeployer(msg.sender);
        _;
    }

    /// @notice Creates the market; reverts if it exists.
    /// @param code StorageMarket's creation code, with anything where the libraries' addresses belong
    function deployMarket(bytes memory code, Link[] calldata links, StorageMarket.Config calldata config) external onlyDeployer {
        for (uint256 i; i < links.length; ++i) _link(code, links[i]);
        _deploy(MARKET, abi.encodePacked(code, abi.encode(config)));
    }

    /// @notice Creates the proofs; reverts if they exist. The beacon must exist before.
    /// @param code PossessionProofs' creation code
    function deployProofs(bytes calldata code, PossessionProofs.Config calldata config) external onlyDeployer {
        _deploy(PROOFS, abi.encodePacked(code, abi.encode(config)));
    }

    /// @notice Where the market is or will be.
    function market() external view returns (address) {
        return Create3.computeAddress(MARKET);
    }

    /// @notice Where the proofs are or will be.
    function proofs() external view returns (address) {
        return Create3.computeAddress(PROOFS);
    }

    function _deploy(bytes32 salt, bytes memory initCode) private {
        emit Deployed(Create3.deploy(0, salt, initCode));
    }

    function _link(bytes memory code, Link calldata link) private view {
        if (link.library_.code.length == 0) revert InvalidLink(link.library_, 0);
        bytes20 at = bytes20(link.library_);
        for (uint256 i; i < link.offsets.length; ++i) {
            uint256 offset = link.offsets[i];
            if (code.length < ADDRESS_BYTES || offset > code.length - ADDRESS_BYTES) revert InvalidLink(link.library_, offset);
            for (uint256 j; j < ADDRESS_BYTES; ++j) code[offset + j] = at[j];
        }
    }
}
