// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPenaltyPolicy} from "../interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "../interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketTypes} from "../libraries/MarketTypes.sol";
import {MarketMoney} from "./MarketMoney.sol";
import {MarketEnv, MarketState, Rewards} from "./MarketState.sol";

/// @title What the market owes to whom, the only way in and out for tokens, and how a signature stands for its account.
abstract contract MarketAccounts is IStorageMarket, EIP712, ReentrancyGuardTransient {
    using MarketMoney for MarketState;
    using SafeERC20 for IERC20;

    struct Config {
        address token;
        address registry;
        address proofs;
        address policy;
        address challenges;
        address repair;
        address committee;
    }

    /// Of the repair fund, per period, for the committee.
    uint256 public constant REWARD_BPS = 100;

    IERC20 internal immutable _token;
    IProviderRegistry internal immutable _registry;
    IPossessionProofs internal immutable _proofs;
    IPenaltyPolicy internal immutable _policy;
    address internal immutable _challenges;
    address internal immutable _repair;
    address internal immutable _committee;

    MarketState internal _state;

    constructor(Config memory config) EIP712("PPIO StorageMarket", "1") {
        _token = IERC20(config.token);
        _registry = IProviderRegistry(config.registry);
        _proofs = IPossessionProofs(config.proofs);
        _policy = IPenaltyPolicy(config.policy);
        _challenges = config.challenges;
        _repair = config.repair;
        _committee = config.committee;
    }

    modifier only(address allowed) {
        if (msg.sender != allowed) revert NotAuthorized(msg.sender);
        _;
    }

    /// @inheritdoc IStorageMarket
    function withdraw(address to) external nonReentrant returns (uint256 amountWei) {
        return _withdraw(msg.sender, to);
    }

    /// @inheritdoc IStorageMarket
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 amountWei)
    {
        bytes32 structHash = keccak256(abi.encode(MarketTypes.WITHDRAW, account, to, _state.nonces[account]++, deadline));
        _requireSignature(account, structHash, deadline, signature);
        return _withdraw(account, to);
    }

    /// @inheritdoc IStorageMarket
    function donate(uint256 amountWei) external nonReentrant {
        _state.increaseFund(amountWei);
        _pull(msg.sender, amountWei);
    }

    /// @inheritdoc IStorageMarket
    function bookSlash(address finder, uint256 finderWei, uint256 fundWei, uint256 ownersWei) external only(address(_proofs)) {
        _state.unclaimedWei += ownersWei;
        _state.credit(finder, finderWei);
        _state.increaseFund(fundWei);
    }

    /// @inheritdoc IStorageMarket
    function payFromRepairFund(address to, uint256 amountWei) external nonReentrant only(_committee) returns (uint256 paidWei) {
        Rewards memory rewards = _state.rewards;
        uint32 current = _proofs.currentPeriod();
        uint256 already = rewards.period == current ? rewards.paidWei : 0;
        // Of the fund as it was before this period's rewards.
        uint256 allowance = ((_state.repairFundWei + already) * REWARD_BPS) / 10_000;
        uint256 left = allowance > already ? allowance - already : 0;
        paidWei = amountWei < left ? amountWei : left;
        _state.rewards = Rewards(current, uint224(already + paidWei));
        paidWei = _state.spendFund(to, paidWei);
        _token.safeTransfer(to, paidWei);
    }

    /// @inheritdoc IStorageMarket
    function creditOf(address account) external view returns (uint256) {
        return _state.creditWei[account];
    }

    /// @inheritdoc IStorageMarket
    function nonceOf(address account) external view returns (uint256) {
        return _state.nonces[account];
    }

    /// @inheritdoc IStorageMarket
    function repairFundWei() external view returns (uint256) {
        return _state.repairFundWei;
    }

    /// @inheritdoc IStorageMarket
    function unclaimedWei() external view returns (uint256) {
        return _state.unclaimedWei;
    }

    /// @inheritdoc IStorageMarket
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IStorageMarket
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- inside ----

    /// Takes exactly `amountWei` from `from`.
    function _pull(address from, uint256 amountWei) internal {
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(from, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }

    function _usePermit(address owner, Permit calldata p) internal {
        // Somebody may have used the permit before us; the allowance decides.
        try IERC20Permit(address(_token)).permit(owner, address(this), p.value, p.deadline, p.v, p.r, p.s) {} catch {}
    }

    function _withdraw(address account, address to) private returns (uint256 amountWei) {
        if (to == address(0)) revert InvalidTerms("to");
        amountWei = _state.creditWei[account];
        if (amountWei == 0) revert NothingToWithdraw(account);
        _state.creditWei[account] = 0;
        emit Withdrawn(account, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    function _env() internal view returns (MarketEnv memory) {
        return MarketEnv(_token, _registry, _proofs, _policy, _domainSeparatorV4());
    }

    function _requireSignature(address signer, bytes32 structHash, uint64 deadline, bytes calldata signature) internal view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Smart accounts answer for themselves (ERC-1271).
        if (SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidOwnerSignature(recovered, signer);
    }
}
