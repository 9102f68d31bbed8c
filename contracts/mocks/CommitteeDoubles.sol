// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRepairFund} from "../interfaces/IRepairFund.sol";
import {IServicePenalty} from "../interfaces/IServicePenalty.sol";

/// @title Test double of the repair fund: pays what it has, up to a bound, and can be put out of order
contract RepairFundDouble is IRepairFund {
    IERC20 private immutable _token;
    address public committee;
    uint256 public balanceWei;
    uint256 public boundWei = type(uint256).max;
    bool public broken;

    error NotTheCommittee(address caller);
    error OutOfOrder();

    constructor(IERC20 token) {
        _token = token;
    }

    function setUp(address committee_, uint256 boundWei_, bool broken_) external {
        (committee, boundWei, broken) = (committee_, boundWei_, broken_);
    }

    /// @inheritdoc IRepairFund
    function payFromRepairFund(address to, uint256 amountWei) external returns (uint256 paidWei) {
        if (msg.sender != committee) revert NotTheCommittee(msg.sender);
        if (broken) revert OutOfOrder();
        paidWei = amountWei < balanceWei ? amountWei : balanceWei;
        if (paidWei > boundWei) paidWei = boundWei;
        balanceWei -= paidWei;
        _token.transfer(to, paidWei);
    }

    /// @inheritdoc IRepairFund
    function donate(uint256 amountWei) external {
        if (broken) revert OutOfOrder();
        balanceWei += amountWei;
        _token.transferFrom(msg.sender, address(this), amountWei);
    }
}

/// @title Test double of the service penalty: counts, and refuses or burns its gas when told
contract ServicePenaltyDouble is IServicePenalty {
    mapping(uint32 providerId => uint256) public takenBps;
    mapping(uint32 providerId => bool) public refuses;
    mapping(uint32 providerId => bool) public burnsGas;
    uint256 public calls;

    error Refused(uint32 providerId);

    function refuse(uint32 providerId, bool refuses_, bool burnsGas_) external {
        refuses[providerId] = refuses_;
        burnsGas[providerId] = burnsGas_;
    }

    /// @inheritdoc IServicePenalty
    function slashForService(uint32 providerId, uint16 bps) external {
        if (refuses[providerId]) revert Refused(providerId);
        while (burnsGas[providerId] && gasleft() > 2_000) {}
        if (burnsGas[providerId]) revert Refused(providerId);
        takenBps[providerId] += bps;
        ++calls;
    }
}

/// @title Test double of a token that keeps a part of every transfer
contract FeeTokenDouble is ERC20 {
    constructor() ERC20("Fee", "FEE") {
        _mint(msg.sender, 1_000_000 ether);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) super._update(to, address(0xdead), value / 100);
    }
}
