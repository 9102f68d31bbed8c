// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";

/// @title See IProviderRegistry, the manual.
contract ProviderRegistry is IProviderRegistry, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// Word 0: owner 160 | evictedAtPeriod 32 | operatorEpoch 32. Word 1: operator 160 | unbondingWei 96.
    /// Word 2: collateralWei 96 | lockedWei 96 | unbondingUntil 64. Then price, capacity, failure domain, endpoint.
    struct ProviderRecord {
        address owner;
        uint32 evictedAtPeriod;
        uint32 operatorEpoch;
        address operator;
        uint96 unbondingWei;
        uint96 collateralWei;
        uint96 lockedWei;
        uint64 unbondingUntil;
        uint256 pricePerGibPeriodWei;
        uint64 capacityBytes;
        bytes32 failureDomain;
        string endpoint;
    }

    uint256 public constant MAX_COLLATERAL_WEI = type(uint96).max;
    uint256 public constant MAX_ENDPOINT_BYTES = 256;

    IERC20 private immutable _token;
    address private immutable _market;
    address private immutable _proofs;
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
        _proofs = proofs;
        unbondingSeconds = unbondingSeconds_;
    }

    modifier onlyOwner(uint32 providerId) {
        if (_existing(providerId).owner != msg.sender) revert NotOwner(providerId, msg.sender);
        _;
    }

    modifier onlyContract(address allowed) {
        if (msg.sender != allowed) revert NotAuthorized(msg.sender);
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
        uint256 free = _free(p);
        if (amountWei > free) revert InsufficientFreeCollateral(providerId, free, amountWei);
        p.unbondingWei = uint96(amountWei);
        p.unbondingUntil = uint64(block.timestamp) + unbondingSeconds;
        emit UnbondingStarted(providerId, amountWei, p.unbondingUntil);
    }

    /// @inheritdoc IProviderRegistry
    function withdrawCollateral(uint32 providerId) external nonReentrant onlyOwner(providerId) returns (uint256 amountWei) {
        ProviderRecord storage p = _providers[providerId];
        if (block.timestamp < p.unbondingUntil) revert StillUnbonding(p.unbondingUntil);
        // Slashes and locks since the request come first.
        uint256 free = _free(p);
        amountWei = p.unbondingWei < free ? p.unbondingWei : free;
        if (amountWei == 0) revert NothingToWithdraw(providerId);
        p.unbondingWei = 0;
        p.collateralWei -= uint96(amountWei);
        emit CollateralWithdrawn(providerId, msg.sender, amountWei);
        _token.safeTransfer(msg.sender, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function lockCollateral(uint32 providerId, uint256 amountWei) external onlyContract(_market) {
        ProviderRecord storage p = _providers[providerId];
        uint256 free = _free(p);
        if (amountWei > free) revert InsufficientFreeCollateral(providerId, free, amountWei);
        p.lockedWei += uint96(amountWei);
        emit CollateralLocked(providerId, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function releaseCollateral(uint32 providerId, uint256 amountWei) external onlyContract(_market) {
        _providers[providerId].lockedWei -= uint96(amountWei);
        emit CollateralReleased(providerId, amountWei);
    }

    /// @inheritdoc IProviderRegistry
    function slash(uint32 providerId, uint256 amountWei) external nonReentrant onlyContract(_proofs) returns (uint256 takenWei) {
        ProviderRecord storage p = _providers[providerId];
        takenWei = amountWei < p.collateralWei ? amountWei : p.collateralWei;
        p.collateralWei -= uint96(takenWei);
        emit CollateralSlashed(providerId, takenWei, p.collateralWei);
        if (takenWei > 0) _token.safeTransfer(_market, takenWei);
    }

    /// @inheritdoc IProviderRegistry
    function evict(uint32 providerId, uint32 period) external onlyContract(_proofs) {
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
            evictedAtPeriod: p.evictedAtPeriod,
            operatorEpoch: p.operatorEpoch,
            operator: p.operator,
            collateralWei: p.collateralWei,
            lockedWei: p.lockedWei,
            unbondingWei: p.unbondingWei,
            unbondingUntil: p.unbondingUntil,
            pricePerGibPeriodWei: p.pricePerGibPeriodWei,
            capacityBytes: p.capacityBytes,
            failureDomain: p.failureDomain,
            endpoint: p.endpoint
        });
    }

    /// @inheritdoc IProviderRegistry
    function signerOf(uint32 providerId) external view returns (address operator, uint32 epoch, uint32 evictedAt) {
        ProviderRecord storage p = _existing(providerId);
        return (p.operator, p.operatorEpoch, p.evictedAtPeriod);
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
        return _providers[providerId].collateralWei;
    }

    /// @inheritdoc IProviderRegistry
    function freeCollateral(uint32 providerId) external view returns (uint256) {
        return _free(_providers[providerId]);
    }

    // ---- inside ----

    function _existing(uint32 providerId) private view returns (ProviderRecord storage p) {
        p = _providers[providerId];
        if (p.owner == address(0)) revert UnknownProvider(providerId);
    }

    function _free(ProviderRecord storage p) private view returns (uint256) {
        return p.collateralWei > p.lockedWei ? p.collateralWei - p.lockedWei : 0;
    }

    function _setOperator(uint32 providerId, address operator) private {
        if (operator == address(0)) revert ZeroAddress();
        uint32 taken = providerOfOperator[operator];
        if (taken != 0) revert OperatorTaken(operator, taken);
        ProviderRecord storage p = _providers[providerId];
        uint32 epoch = ++p.operatorEpoch;
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
        uint256 total = p.collateralWei + amountWei;
        if (total > MAX_COLLATERAL_WEI) revert TooMuchCollateral(providerId, total, MAX_COLLATERAL_WEI);
        p.collateralWei = uint96(total);
        emit CollateralDeposited(providerId, msg.sender, amountWei);
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amountWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }
}
