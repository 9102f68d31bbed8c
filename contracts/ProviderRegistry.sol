// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPossessionProofs} from "./interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";

/// @title See IProviderRegistry, the manual.
contract ProviderRegistry is IProviderRegistry, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// Word 0, all that opening a deal reads: operator 160 | operatorEpoch 24 | collateralGwei 56 | isCapped 8 (248 bits).
    /// Word 1, all that settling reads: owner 160 | evictedAtPeriod 32 (192 bits).
    /// Word 2: pendingOwner 160. Word 3: unbondingGwei 56 | unbondingUntil 64 | capGwei 56 | capUsedGwei 56 | capPeriod 24 (256 bits).
    /// Then price, capacity, failure domain, endpoint.
    struct ProviderRecord {
        address operator;
        uint24 operatorEpoch;
        uint56 collateralGwei;
        bool isCapped;
        address owner;
        uint32 evictedAtPeriod;
        address pendingOwner;
        uint56 unbondingGwei;
        uint64 unbondingUntil;
        uint56 capGwei;
        uint56 capUsedGwei;
        uint24 capPeriod;
        uint256 pricePerGibPeriodWei;
        uint64 capacityBytes;
        bytes32 failureDomain;
        string endpoint;
    }

    uint256 private constant GWEI = 1e9;
    uint256 public constant MAX_COLLATERAL_WEI = type(uint56).max * GWEI;
    uint256 public constant MAX_ENDPOINT_BYTES = 256;

    IERC20 private immutable _token;
    address private immutable _market;
    IPossessionProofs private immutable _proofs;
    /// @inheritdoc IProviderRegistry
    uint64 public immutable override unbondingSeconds;

    /// @inheritdoc IProviderRegistry
    uint32 public override providerCount;
    mapping(uint32 providerId => ProviderRecord) private _providers;
    /// @inheritdoc IProviderRegistry
    mapping(address operator => uint32 providerId) public override providerOfOperator;
    /// @inheritdoc IProviderRegistry
    mapping(uint32 providerId => mapping(uint32 epoch => address)) public override operatorAt;

    constructor(address token, address market, address proofs, uint64 unbondingSeconds_) {
        if (token == address(0) || market == address(0) || proofs == address(0)) revert ZeroAddress();
        _token = IERC20(token);
        _market = market;
        _proofs = IPossessionProofs(proofs);
        unbondingSeconds = unbondingSeconds_;
    }

    modifier onlyOwner(uint32 providerId) {
        if (_existing(providerId).owner != msg.sender) revert NotOwner(providerId, msg.sender);
        _;
    }

    modifier onlyContracts(address one, address other) {
        if (msg.sender != one && msg.sender != other) revert NotAuthorized(msg.sender);
        _;
    }

    // ---- who ----

    /// @inheritdoc IProviderRegistry
    function register(
        address operator,
        string calldata endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    ) external returns (uint32 providerId) {
        providerId = ++providerCount;
        _providers[providerId].owner = msg.sender;
        emit ProviderRegistered(providerId, msg.sender, operator);
        _setOperator(providerId, operator);
        _update(providerId, endpoint, pricePerGibPeriodWei, capacityBytes, failureDomain);
    }

    /// @inheritdoc IProviderRegistry
    function update(
        uint32 providerId,
        string calldata endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    ) external {
        ProviderRecord storage p = _existing(providerId);
        if (msg.sender != p.owner && msg.sender != p.operator) revert NotOwner(providerId, msg.sender);
        _update(providerId, endpoint, pricePerGibPeriodWei, capacityBytes, failureDomain);
    }

    /// @inheritdoc IProviderRegistry
    function rotateOperator(uint32 providerId, address operator) external onlyOwner(providerId) {
        delete providerOfOperator[_providers[providerId].operator];
        _setOperator(providerId, operator);
    }

    /// @inheritdoc IProviderRegistry
    function setOperatorCap(uint32 providerId, uint256 capWei) external onlyOwner(providerId) {
        ProviderRecord storage p = _providers[providerId];
        p.capGwei = _toGwei(providerId, capWei);
        p.isCapped = capWei != 0;
        emit OperatorCapSet(providerId, capWei);
    }

    /// @inheritdoc IProviderRegistry
    function offerOwnership(uint32 providerId, address to) external onlyOwner(providerId) {
        _providers[providerId].pendingOwner = to;
        emit OwnershipOffered(providerId, to);
    }

    /// @inheritdoc IProviderRegistry
    function acceptOwnership(uint32 providerId) external {
        ProviderRecord storage p = _existing(providerId);
        if (msg.sender != p.pendingOwner) revert NotOwner(providerId, msg.sender);
        emit OwnershipTransferred(providerId, p.owner, msg.sender);
        p.owner = msg.sender;
        p.pendingOwner = address(0);
    }

    // ---- collateral ----

    /// @inheritdoc IProviderRegistry
    function depositCollateral(uint32 providerId, uint256 amountWei) external nonReentrant {
        _deposit(providerId, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function depositCollateralWithPermit(
        uint32 providerId,
        uint256 amountWei,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // Somebody may have used the permit before us; the allowance decides.
        try IERC20Permit(address(_token)).permit(msg.sender, address(this), amountWei, deadline, v, r, s) {} catch {}
        _deposit(providerId, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function startUnbonding(uint32 providerId, uint256 amountWei) external onlyOwner(providerId) {
        ProviderRecord storage p = _providers[providerId];
        uint256 freeWei = freeCollateral(providerId);
        if (amountWei > freeWei) revert InsufficientFreeCollateral(providerId, freeWei, amountWei);
        p.unbondingGwei = _toGwei(providerId, amountWei);
        p.unbondingUntil = uint64(block.timestamp) + unbondingSeconds;
        emit UnbondingStarted(providerId, amountWei, p.unbondingUntil);
    }

    /// @inheritdoc IProviderRegistry
    function withdrawCollateral(uint32 providerId) external nonReentrant onlyOwner(providerId) returns (uint256 amountWei) {
        ProviderRecord storage p = _providers[providerId];
        uint64 until = p.unbondingUntil;
        if (block.timestamp < until) revert StillUnbonding(until);
        if (p.unbondingGwei != 0 && block.timestamp > until + unbondingSeconds) revert UnbondingLapsed(until + unbondingSeconds);
        // Slashes and locks since the request come first.
        amountWei = freeCollateral(providerId);
        uint256 askedWei = p.unbondingGwei * GWEI;
        if (askedWei < amountWei) amountWei = askedWei;
        if (amountWei == 0) revert NothingToWithdraw(providerId);
        p.unbondingGwei = 0;
        p.collateralGwei -= uint56(amountWei / GWEI);
        emit CollateralWithdrawn(providerId, msg.sender, amountWei);
        _token.safeTransfer(msg.sender, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function useOperatorCap(uint32 providerId, uint32 period, uint256 amountWei) external onlyContracts(_market, _market) {
        ProviderRecord storage p = _providers[providerId];
        // Periods are below 2^24 (IPossessionProofs, P7).
        uint256 used = p.capPeriod == uint24(period) ? p.capUsedGwei : 0;
        uint256 left = p.capGwei > used ? p.capGwei - used : 0;
        if (amountWei / GWEI > left) revert OperatorCapExceeded(providerId, left * GWEI, amountWei);
        p.capPeriod = uint24(period);
        p.capUsedGwei = uint56(used + amountWei / GWEI);
    }

    /// @inheritdoc IProviderRegistry
    function slash(uint32 providerId, uint256 amountWei)
        external
        nonReentrant
        onlyContracts(address(_proofs), _market)
        returns (uint256 takenWei)
    {
        ProviderRecord storage p = _providers[providerId];
        uint256 collateralGwei = p.collateralGwei;
        uint256 takenGwei = amountWei / GWEI;
        if (takenGwei > collateralGwei) takenGwei = collateralGwei;
        takenWei = takenGwei * GWEI;
        p.collateralGwei = uint56(collateralGwei - takenGwei);
        emit CollateralSlashed(providerId, takenWei, (collateralGwei - takenGwei) * GWEI);
        if (takenWei > 0) _token.safeTransfer(_market, takenWei);
    }

    /// @inheritdoc IProviderRegistry
    function evict(uint32 providerId, uint32 period) external onlyContracts(address(_proofs), address(_proofs)) {
        ProviderRecord storage p = _existing(providerId);
        if (p.evictedAtPeriod != 0) revert AlreadyEvicted(providerId);
        p.evictedAtPeriod = period;
        emit ProviderEvicted(providerId, period);
    }

    // ---- views ----

    /// @inheritdoc IProviderRegistry
    function getProvider(uint32 providerId) external view returns (Provider memory) {
        ProviderRecord storage p = _existing(providerId);
        return Provider({
            owner: p.owner,
            pendingOwner: p.pendingOwner,
            evictedAtPeriod: p.evictedAtPeriod,
            operatorEpoch: p.operatorEpoch,
            operator: p.operator,
            collateralWei: p.collateralGwei * GWEI,
            lockedWei: _proofs.lockedGweiOf(providerId) * GWEI,
            unbondingWei: p.unbondingGwei * GWEI,
            unbondingUntil: p.unbondingUntil,
            operatorCapWei: p.capGwei * GWEI,
            pricePerGibPeriodWei: p.pricePerGibPeriodWei,
            capacityBytes: p.capacityBytes,
            failureDomain: p.failureDomain,
            endpoint: p.endpoint
        });
    }

    /// @inheritdoc IProviderRegistry
    function signerOf(uint32 providerId)
        external
        view
        returns (address operator, uint32 epoch, uint64 collateralGwei, bool isCapped)
    {
        ProviderRecord storage p = _providers[providerId];
        return (p.operator, p.operatorEpoch, p.collateralGwei, p.isCapped);
    }

    /// @inheritdoc IProviderRegistry
    function standingOf(uint32 providerId) external view returns (address owner, uint32 evictedAt) {
        ProviderRecord storage p = _providers[providerId];
        return (p.owner, p.evictedAtPeriod);
    }

    /// @inheritdoc IProviderRegistry
    function ownerOf(uint32 providerId) external view returns (address) {
        return _providers[providerId].owner;
    }

    /// @inheritdoc IProviderRegistry
    function evictedAtPeriod(uint32 providerId) external view returns (uint32) {
        return _providers[providerId].evictedAtPeriod;
    }

    /// @inheritdoc IProviderRegistry
    function operatorEpochOf(uint32 providerId) external view returns (uint32) {
        return _providers[providerId].operatorEpoch;
    }

    /// @inheritdoc IProviderRegistry
    function collateralOf(uint32 providerId) external view returns (uint256 collateralWei) {
        return _providers[providerId].collateralGwei * GWEI;
    }

    /// @inheritdoc IProviderRegistry
    function freeCollateral(uint32 providerId) public view returns (uint256) {
        uint256 collateralGwei = _providers[providerId].collateralGwei;
        uint256 lockedGwei = _proofs.lockedGweiOf(providerId);
        return collateralGwei > lockedGwei ? (collateralGwei - lockedGwei) * GWEI : 0;
    }

    // ---- inside ----

    function _existing(uint32 providerId) private view returns (ProviderRecord storage p) {
        p = _providers[providerId];
        if (p.owner == address(0)) revert UnknownProvider(providerId);
    }

    function _toGwei(uint32 providerId, uint256 amountWei) private pure returns (uint56) {
        if (amountWei % GWEI != 0) revert NotAMultipleOfGwei(amountWei);
        if (amountWei > MAX_COLLATERAL_WEI) revert TooMuchCollateral(providerId, amountWei, MAX_COLLATERAL_WEI);
        return uint56(amountWei / GWEI);
    }

    function _setOperator(uint32 providerId, address operator) private {
        if (operator == address(0)) revert ZeroAddress();
        uint32 taken = providerOfOperator[operator];
        if (taken != 0) revert OperatorTaken(operator, taken);
        ProviderRecord storage p = _providers[providerId];
        uint24 epoch = ++p.operatorEpoch;
        p.operator = operator;
        operatorAt[providerId][epoch] = operator;
        providerOfOperator[operator] = providerId;
        emit OperatorRotated(providerId, epoch, operator);
    }

    function _update(
        uint32 providerId,
        string calldata endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    ) private {
        if (bytes(endpoint).length > MAX_ENDPOINT_BYTES) revert EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT_BYTES);
        ProviderRecord storage p = _providers[providerId];
        p.endpoint = endpoint;
        p.pricePerGibPeriodWei = pricePerGibPeriodWei;
        p.capacityBytes = capacityBytes;
        p.failureDomain = failureDomain;
        emit ProviderUpdated(providerId, endpoint, pricePerGibPeriodWei, capacityBytes, failureDomain);
    }

    function _deposit(uint32 providerId, uint256 amountWei) private {
        ProviderRecord storage p = _existing(providerId);
        if (p.evictedAtPeriod != 0) revert AlreadyEvicted(providerId);
        p.collateralGwei = _toGwei(providerId, p.collateralGwei * GWEI + amountWei);
        emit CollateralDeposited(providerId, msg.sender, amountWei);
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }
}
