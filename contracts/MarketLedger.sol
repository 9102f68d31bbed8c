// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {MarketTypes} from "./libraries/MarketTypes.sol";

/// @title The market's books: credits, repair fund and owners' parts of slashes, and the only way out for tokens
/// @dev Part of StorageMarket, apart so that money in and out can be read on one page. Escrow is not booked here: it is what the
/// slots' own words say (M2).
abstract contract MarketLedger is IStorageMarket, EIP712, ReentrancyGuard {
    using SafeERC20 for IERC20;

    IERC20 internal immutable _token;
    address private immutable _proofsAt;

    /// @inheritdoc IStorageMarket
    mapping(address account => uint256) public override creditOf;
    /// @inheritdoc IStorageMarket
    mapping(address account => uint256) public override nonceOf;
    /// @inheritdoc IStorageMarket
    uint256 public override repairFundWei;
    /// @inheritdoc IStorageMarket
    uint256 public override unclaimedWei;

    constructor(address token_, address proofs) EIP712("PPIO StorageMarket", "1") {
        _token = IERC20(token_);
        _proofsAt = proofs;
    }

    modifier onlyProofs() {
        if (msg.sender != _proofsAt) revert NotAuthorized(msg.sender);
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
        bytes32 structHash = keccak256(abi.encode(MarketTypes.WITHDRAW, account, to, nonceOf[account]++, deadline));
        _requireSignature(account, structHash, deadline, signature);
        return _withdraw(account, to);
    }

    /// @inheritdoc IStorageMarket
    function bookSlash(address reporter, uint256 reporterWei, uint256 fundWei, uint256 ownersWei) external onlyProofs {
        unclaimedWei += ownersWei;
        _credit(reporter, reporterWei);
        _increaseRepairFund(fundWei);
    }

    /// @inheritdoc IStorageMarket
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IStorageMarket
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// Takes exactly `amountWei` from the caller.
    function _pull(uint256 amountWei) internal {
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }

    function _credit(address account, uint256 amountWei) internal {
        if (amountWei == 0) return;
        creditOf[account] += amountWei;
        emit Credited(account, amountWei);
    }

    function _increaseRepairFund(uint256 amountWei) internal {
        if (amountWei == 0) return;
        repairFundWei += amountWei;
        emit RepairFundIncreased(amountWei);
    }

    /// Moves a slot's part of past slashes out of the unclaimed: the owner's to the owner, the rest to the repair fund.
    function _claim(bytes32 dealId, uint8 slotIndex, address owner, uint256 ownerWei, uint256 totalWei) internal {
        if (totalWei == 0) return;
        unclaimedWei -= totalWei;
        _increaseRepairFund(totalWei - ownerWei);
        if (ownerWei == 0) return;
        emit OwnerCompensated(dealId, slotIndex, owner, ownerWei);
        _credit(owner, ownerWei);
    }

    function _requireSignature(address signer, bytes32 structHash, uint64 deadline, bytes calldata signature) internal view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Smart accounts answer for themselves (ERC-1271).
        if (SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidOwnerSignature(recovered, signer);
    }

    function _withdraw(address account, address to) private returns (uint256 amountWei) {
        if (to == address(0)) revert InvalidTerms("to");
        amountWei = creditOf[account];
        if (amountWei == 0) revert NothingToWithdraw(account);
        creditOf[account] = 0;
        emit Withdrawn(account, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }
}
