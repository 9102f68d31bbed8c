// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IBandwidthEscrow} from "./interfaces/IBandwidthEscrow.sol";
import {EscrowTypes} from "./libraries/EscrowTypes.sol";

/// @title The escrow's books: reserves, bonds, restitution, credits, and the only ways in and out for tokens
/// @dev Part of BandwidthEscrow, apart so that money in and out can be read on one page. Money moves between the books there.
/// What moves tokens is guarded against reentrancy. The rest is not: it calls nobody, and while a token is being moved the books are
/// already what they will be, so there is nothing half done to see.
abstract contract EscrowLedger is IBandwidthEscrow, EIP712, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @inheritdoc IBandwidthEscrow
    address public constant override BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant DELAY_SECONDS_MIN = 1 minutes;
    uint256 private constant DELAY_SECONDS_MAX = 30 days;
    uint256 private constant AMOUNT_MAX = type(uint96).max;

    /// Word 0: reserve 96 | bond 96 | overdrafts 32 | keysEpoch 24 (248 bits); the only one that redemption touches.
    /// Word 1: requested of the reserve 96 | of the bond 96 | ripe at 40 (232 bits). Word 2: restitution 96 | its last second 40 (136 bits).
    /// Word 3: keys.
    struct AccountRecord {
        uint96 reserveWei;
        uint96 bondWei;
        uint32 overdrafts;
        /// Counts the payer's revocations: what was remembered of its keys under another count must be looked up again.
        uint24 keysEpoch;
        uint96 requestedReserveWei;
        uint96 requestedBondWei;
        uint40 ripeAt;
        uint96 restitutionWei;
        uint40 restitutionUntil;
        mapping(address key => KeyRecord) keys;
    }

    /// Word 0: budget left 96 | cap per payee 96 | expiry 40 (232 bits). Written when the key is authorised or revoked, and by redemption
    /// only where it has a budget. Word 1: streams.
    struct KeyRecord {
        uint96 budgetLeftWei;
        uint96 capPerPayeeWei;
        uint40 expiry;
        mapping(address payee => StreamRecord) streams;
    }

    /// One word: redeemed 96 | cap per payee 96 | redeemable until 40 | keysEpoch + 1 24 (256 bits). The last three are remembered from the
    /// key at the first payment, so that later ones need not look it up; good while the payer's keysEpoch is the same. A key with a budget
    /// is not remembered (zeros): it is looked up and written every time.
    struct StreamRecord {
        uint256 word;
    }

    IERC20 private immutable _token;
    /// @inheritdoc IBandwidthEscrow
    uint40 public immutable override delaySeconds;

    mapping(address payer => AccountRecord) internal _accounts;
    /// @inheritdoc IBandwidthEscrow
    mapping(address account => uint256) public override creditOf;
    /// @inheritdoc IBandwidthEscrow
    mapping(address account => uint256) public override nonceOf;
    /// @inheritdoc IBandwidthEscrow
    uint256 public override burnableWei;

    constructor(address token_, uint40 delaySeconds_) EIP712("PPIO BandwidthEscrow", "1") {
        if (token_ == address(0)) revert InvalidAddress("token");
        if (delaySeconds_ < DELAY_SECONDS_MIN || delaySeconds_ > DELAY_SECONDS_MAX) {
            revert InvalidDelay(delaySeconds_, DELAY_SECONDS_MIN, DELAY_SECONDS_MAX);
        }
        _token = IERC20(token_);
        delaySeconds = delaySeconds_;
    }

    // ---- money in ----

    /// @inheritdoc IBandwidthEscrow
    function deposit(address payer, uint96 reserveWei, uint96 bondWei) external nonReentrant {
        _deposit(msg.sender, payer, reserveWei, bondWei);
    }

    /// @inheritdoc IBandwidthEscrow
    function depositWithPermit(address payer, uint96 reserveWei, uint96 bondWei, Permit calldata permit) external nonReentrant {
        _usePermit(msg.sender, permit);
        _deposit(msg.sender, payer, reserveWei, bondWei);
    }

    /// @inheritdoc IBandwidthEscrow
    function depositWithSig(
        address from,
        address payer,
        uint96 reserveWei,
        uint96 bondWei,
        uint64 deadline,
        bytes calldata signature,
        Permit calldata permit
    ) external nonReentrant {
        bytes32 structHash =
            keccak256(abi.encode(EscrowTypes.DEPOSIT, from, payer, reserveWei, bondWei, nonceOf[from]++, deadline));
        _requireSignature(from, structHash, deadline, signature);
        if (permit.s != 0) _usePermit(from, permit);
        _deposit(from, payer, reserveWei, bondWei);
    }

    // ---- credit out ----

    /// @inheritdoc IBandwidthEscrow
    function withdraw(address to) external nonReentrant returns (uint256 amountWei) {
        return _withdraw(msg.sender, to);
    }

    /// @inheritdoc IBandwidthEscrow
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 amountWei)
    {
        bytes32 structHash = keccak256(abi.encode(EscrowTypes.WITHDRAW, account, to, nonceOf[account]++, deadline));
        _requireSignature(account, structHash, deadline, signature);
        return _withdraw(account, to);
    }

    // ---- reserve and bond out ----

    /// @inheritdoc IBandwidthEscrow
    function requestWithdrawal(uint96 reserveWei, uint96 bondWei) external {
        _request(msg.sender, reserveWei, bondWei);
    }

    /// @inheritdoc IBandwidthEscrow
    function requestWithdrawalWithSig(address payer, uint96 reserveWei, uint96 bondWei, uint64 deadline, bytes calldata signature)
        external
    {
        bytes32 structHash =
            keccak256(abi.encode(EscrowTypes.REQUEST_WITHDRAWAL, payer, reserveWei, bondWei, nonceOf[payer]++, deadline));
        _requireSignature(payer, structHash, deadline, signature);
        _request(payer, reserveWei, bondWei);
    }

    /// @inheritdoc IBandwidthEscrow
    function cancelWithdrawal() external {
        _cancel(msg.sender);
    }

    /// @inheritdoc IBandwidthEscrow
    function cancelWithdrawalWithSig(address payer, uint64 deadline, bytes calldata signature) external {
        bytes32 structHash = keccak256(abi.encode(EscrowTypes.CANCEL_WITHDRAWAL, payer, nonceOf[payer]++, deadline));
        _requireSignature(payer, structHash, deadline, signature);
        _cancel(payer);
    }

    /// @inheritdoc IBandwidthEscrow
    function completeWithdrawal(address to) external nonReentrant returns (uint96 reserveWei, uint96 bondWei) {
        return _complete(msg.sender, to);
    }

    /// @inheritdoc IBandwidthEscrow
    function completeWithdrawalWithSig(address payer, address to, uint64 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint96 reserveWei, uint96 bondWei)
    {
        bytes32 structHash = keccak256(abi.encode(EscrowTypes.COMPLETE_WITHDRAWAL, payer, to, nonceOf[payer]++, deadline));
        _requireSignature(payer, structHash, deadline, signature);
        return _complete(payer, to);
    }

    /// @inheritdoc IBandwidthEscrow
    function burn(address payer) external nonReentrant returns (uint256 amountWei) {
        _lapseRestitution(payer, _accounts[payer]);
        amountWei = burnableWei;
        if (amountWei == 0) revert NothingToBurn();
        burnableWei = 0;
        emit Burnt(amountWei);
        _token.safeTransfer(BURN_ADDRESS, amountWei);
    }

    // ---- views ----

    /// @inheritdoc IBandwidthEscrow
    function accountOf(address payer) external view returns (Account memory) {
        AccountRecord storage a = _accounts[payer];
        return Account({
            reserveWei: a.reserveWei,
            bondWei: a.bondWei,
            overdrafts: a.overdrafts,
            restitutionWei: a.restitutionWei,
            restitutionUntil: a.restitutionUntil,
            requestedReserveWei: a.requestedReserveWei,
            requestedBondWei: a.requestedBondWei,
            ripeAt: a.ripeAt
        });
    }

    /// @inheritdoc IBandwidthEscrow
    function token() external view returns (address) {
        return address(_token);
    }

    /// @inheritdoc IBandwidthEscrow
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- for the escrow ----

    function _requireSignature(address signer, bytes32 structHash, uint64 deadline, bytes calldata signature) internal view {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        bytes32 digest = _hashTypedDataV4(structHash);
        // Smart accounts answer for themselves (ERC-1271).
        if (SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) return;
        (address recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        revert InvalidSignature(recovered, signer);
    }

    /// Restitution that nobody claimed in time is burnt.
    function _lapseRestitution(address payer, AccountRecord storage a) internal {
        uint96 amountWei = a.restitutionWei;
        if (amountWei == 0 || block.timestamp <= a.restitutionUntil) return;
        a.restitutionWei = 0;
        burnableWei += amountWei;
        emit RestitutionLapsed(payer, amountWei);
    }

    // ---- inside ----

    function _deposit(address from, address payer, uint96 reserveWei, uint96 bondWei) private {
        if (payer == address(0)) revert InvalidAddress("payer");
        uint256 sumWei = uint256(reserveWei) + bondWei;
        if (sumWei == 0) revert ZeroAmount();
        AccountRecord storage a = _accounts[payer];
        a.reserveWei = _sum(a.reserveWei, reserveWei);
        a.bondWei = _sum(a.bondWei, bondWei);
        emit Deposited(payer, from, reserveWei, bondWei);

        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(from, address(this), sumWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != sumWei) revert UnsupportedToken(received, sumWei);
    }

    /// Somebody may have used the permit before us; the allowance decides.
    function _usePermit(address owner, Permit calldata permit) private {
        try IERC20Permit(address(_token)).permit(
            owner, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
    }

    function _withdraw(address account, address to) private returns (uint256 amountWei) {
        if (to == address(0)) revert InvalidAddress("to");
        amountWei = creditOf[account];
        if (amountWei == 0) revert NothingToWithdraw(account);
        creditOf[account] = 0;
        emit Withdrawn(account, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    /// None, Waiting or Ripe -> Waiting.
    function _request(address payer, uint96 reserveWei, uint96 bondWei) private {
        if (reserveWei == 0 && bondWei == 0) revert ZeroAmount();
        AccountRecord storage a = _accounts[payer];
        if (reserveWei > a.reserveWei) revert RequestTooLarge(reserveWei, a.reserveWei);
        if (bondWei > a.bondWei) revert RequestTooLarge(bondWei, a.bondWei);
        uint40 ripeAt = uint40(block.timestamp) + delaySeconds;
        _setRequest(a, reserveWei, bondWei, ripeAt);
        emit WithdrawalRequested(payer, reserveWei, bondWei, ripeAt);
    }

    /// Waiting or Ripe -> None.
    function _cancel(address payer) private {
        AccountRecord storage a = _accounts[payer];
        if (a.ripeAt == 0) revert NoWithdrawal(payer);
        _setRequest(a, 0, 0, 0);
        emit WithdrawalCancelled(payer);
    }

    /// Ripe -> None. Vouchers and overdrafts may have left less than was asked for.
    function _complete(address payer, address to) private returns (uint96 reserveWei, uint96 bondWei) {
        if (to == address(0)) revert InvalidAddress("to");
        AccountRecord storage a = _accounts[payer];
        uint40 ripeAt = a.ripeAt;
        if (ripeAt == 0) revert NoWithdrawal(payer);
        if (block.timestamp < ripeAt) revert WithdrawalNotRipe(ripeAt, block.timestamp);
        if (block.timestamp > ripeAt + delaySeconds) revert WithdrawalLapsed(ripeAt + delaySeconds, block.timestamp);
        reserveWei = _min(a.requestedReserveWei, a.reserveWei);
        bondWei = _min(a.requestedBondWei, a.bondWei);
        _setRequest(a, 0, 0, 0);
        a.reserveWei -= reserveWei;
        a.bondWei -= bondWei;
        emit WithdrawalCompleted(payer, to, reserveWei, bondWei);
        _token.safeTransfer(to, uint256(reserveWei) + bondWei);
    }

    function _setRequest(AccountRecord storage a, uint96 reserveWei, uint96 bondWei, uint40 ripeAt) private {
        a.requestedReserveWei = reserveWei;
        a.requestedBondWei = bondWei;
        a.ripeAt = ripeAt;
    }

    function _sum(uint96 left, uint96 right) private pure returns (uint96) {
        uint256 sum = uint256(left) + right;
        if (sum > AMOUNT_MAX) revert AmountTooLarge(sum, AMOUNT_MAX);
        return uint96(sum);
    }

    function _min(uint96 left, uint96 right) internal pure returns (uint96) {
        return left < right ? left : right;
    }
}
