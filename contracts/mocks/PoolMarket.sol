// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";

/// @title Test double: what a sponsor pool needs of a market, without checks, and wrong in the ways it is told to be
contract PoolMarket {
    IERC20 private immutable _token;
    mapping(address account => uint256) public creditOf;
    /// What a renewal takes.
    uint256 public renewalWei;
    /// What it takes on top of what it says.
    uint256 public extraWei;
    bytes32 public otherDealId;

    error EndNotLater(uint32 newEnd, uint32 end);

    mapping(bytes32 dealId => uint32 end) public endOf;

    constructor(address token_) {
        _token = IERC20(token_);
    }

    function setRenewal(uint256 renewalWei_) external {
        renewalWei = renewalWei_;
    }

    function setExtra(uint256 extraWei_) external {
        extraWei = extraWei_;
    }

    function setOtherDealId(bytes32 dealId) external {
        otherDealId = dealId;
    }

    function credit(address account, uint256 amountWei) external {
        creditOf[account] += amountWei;
    }

    function openDealWithSig(IStorageMarket.DealTerms calldata terms, uint256, uint64, bytes calldata)
        external
        returns (bytes32 dealId)
    {
        uint256 escrowWei = extraWei;
        for (uint256 i; i < terms.offers.length; ++i) escrowWei += terms.offers[i].payPerPeriodWei * terms.periods;
        _token.transferFrom(msg.sender, address(this), escrowWei);
        return otherDealId == 0 ? dealIdOf(terms.owner, terms.dealSalt) : otherDealId;
    }

    function renew(bytes32 dealId, uint32 newEnd) external returns (uint256 escrowWei) {
        if (newEnd <= endOf[dealId]) revert EndNotLater(newEnd, endOf[dealId]);
        endOf[dealId] = newEnd;
        _token.transferFrom(msg.sender, address(this), renewalWei + extraWei);
        return renewalWei;
    }

    function withdraw(address to) external returns (uint256 amountWei) {
        amountWei = creditOf[msg.sender];
        creditOf[msg.sender] = 0;
        _token.transfer(to, amountWei);
    }

    function token() external view returns (address) {
        return address(_token);
    }

    function dealIdOf(address owner, bytes32 dealSalt) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), owner, dealSalt));
    }
}
