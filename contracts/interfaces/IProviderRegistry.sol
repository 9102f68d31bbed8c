// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Who the providers are, and what they have at risk
/// @notice A provider is a number, `providerId`, apart from any address: its owner (cold key) may hand daily work to an
/// operator (hot key) and change it at any time. Signatures name the operator's epoch, so that an offer signed by an
/// operator stays checkable after a rotation, and no operator of another epoch can use it.
///
/// Leaving whole: hand the slots over (`IStorageMarket.handOver`) or let them end, then `startUnbonding`, wait, withdraw. What was
/// asked back stays slashable until it is paid out, and the request lapses when it is not used within another delay, so that
/// nobody keeps a request in hand for the day it misbehaves.
/// @dev Money: this contract holds collateral and nothing else; amounts are multiples of 1 gwei.
/// Invariants:
/// R1 the token balance is at least the sum of all providers' `collateralWei`;
/// R2 `lockedWei` is the sum of the collateral of the provider's slots in the inventory;
/// R3 free collateral is max(0, collateral - locked); only free collateral leaves;
/// R4 an address is the operator of at most one provider at a time;
/// R5 an evicted provider has no collateral and gets none;
/// R6 what an operator with a cap binds in one period is at most the cap;
/// R7 collateral moves only by deposits, slashes and withdrawals, and a slash is at most the collateral;
/// R8 an eviction is final; R9 owners change by acceptance, operators by rotation, which raises the epoch by one;
/// R10 what leaves was asked back, waited its delay and did not lapse; R11 providers never disappear and never lose their number.
interface IProviderRegistry {
    struct Provider {
        address owner;
        /// Takes the ownership over by `acceptOwnership`; the zero address for nobody.
        address pendingOwner;
        /// Period in which the provider was evicted; 0 while it is not. Final for this `providerId`.
        uint32 evictedAtPeriod;
        uint32 operatorEpoch;
        address operator;
        uint256 collateralWei;
        uint256 lockedWei;
        /// Collateral asked back; slashable until withdrawn.
        uint256 unbondingWei;
        uint64 unbondingUntil;
        /// Most collateral that the operator may bind in one period; 0 for no cap.
        uint256 operatorCapWei;
        uint256 pricePerGibPeriodWei;
        uint64 capacityBytes;
        bytes32 failureDomain;
        string endpoint;
    }

    event ProviderRegistered(uint32 indexed providerId, address indexed owner, address indexed operator);
    event ProviderUpdated(
        uint32 indexed providerId,
        string endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    );
    event OperatorRotated(uint32 indexed providerId, uint32 epoch, address operator);
    event CollateralDeposited(uint32 indexed providerId, address from, uint256 amountWei);
    event UnbondingStarted(uint32 indexed providerId, uint256 amountWei, uint64 until);
    event CollateralWithdrawn(uint32 indexed providerId, address to, uint256 amountWei);
    event OwnershipOffered(uint32 indexed providerId, address indexed to);
    event OwnershipTransferred(uint32 indexed providerId, address indexed from, address indexed to);
    event OperatorCapSet(uint32 indexed providerId, uint256 capWei);
    event CollateralSlashed(uint32 indexed providerId, uint256 amountWei, uint256 remainingWei);
    event ProviderEvicted(uint32 indexed providerId, uint32 period);

    error NotOwner(uint32 providerId, address caller);
    error NotAuthorized(address caller);
    error UnknownProvider(uint32 providerId);
    error OperatorTaken(address operator, uint32 providerId);
    error ZeroAddress();
    error InsufficientFreeCollateral(uint32 providerId, uint256 freeWei, uint256 neededWei);
    error AlreadyEvicted(uint32 providerId);
    error StillUnbonding(uint64 until);
    error UnbondingLapsed(uint64 since);
    error OperatorCapExceeded(uint32 providerId, uint256 leftWei, uint256 neededWei);
    error NotAMultipleOfGwei(uint256 amountWei);
    error NothingToWithdraw(uint32 providerId);
    error UnsupportedToken(uint256 received, uint256 expected);
    error EndpointTooLong(uint256 bytes_, uint256 maxBytes);
    error TooMuchCollateral(uint32 providerId, uint256 collateralWei, uint256 maxCollateralWei);

    /// @notice Registers the caller as owner of a new provider. @return providerId counts from 1.
    function register(
        address operator,
        string calldata endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    ) external returns (uint32 providerId);

    /// @notice New endpoint, price and capacity; owner or operator. Never touches running deals.
    function update(
        uint32 providerId,
        string calldata endpoint,
        uint256 pricePerGibPeriodWei,
        uint64 capacityBytes,
        bytes32 failureDomain
    ) external;

    /// @notice New hot key; the old one keeps its epoch in the history. Owner only.
    function rotateOperator(uint32 providerId, address operator) external;

    /// @notice Caps the collateral that the operator may bind by offers in one period, so that a stolen hot key does bounded harm;
    /// 0 for no cap. A multiple of 1 gwei. Owner only.
    function setOperatorCap(uint32 providerId, uint256 capWei) external;

    /// @notice Offers the ownership (cold key) to another address, which must accept. Pay that was not settled yet goes to the
    /// owner at the time of settling. Owner only.
    function offerOwnership(uint32 providerId, address to) external;
    function acceptOwnership(uint32 providerId) external;

    /// @notice Adds collateral out of the caller's tokens; anyone may.
    function depositCollateral(uint32 providerId, uint256 amountWei) external;

    /// @notice `depositCollateral` after an EIP-2612 permit, in one transaction.
    function depositCollateralWithPermit(
        uint32 providerId,
        uint256 amountWei,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Asks `amountWei` of free collateral back; slashable until withdrawn. Restarts the delay. Owner only.
    function startUnbonding(uint32 providerId, uint256 amountWei) external;

    /// @notice Pays out what was asked back and is still free, from `unbondingSeconds` to twice that after the request. Owner only.
    function withdrawCollateral(uint32 providerId) external returns (uint256 amountWei);

    /// @notice Counts collateral that an operator binds in `period` against its cap. Market only; called only for capped ones.
    function useOperatorCap(uint32 providerId, uint32 period, uint256 amountWei) external;

    /// @notice Takes min(`amountWei`, collateral) in whole gwei and sends it to the market, which splits it. Proofs and market only.
    function slash(uint32 providerId, uint256 amountWei) external returns (uint256 takenWei);

    /// @notice Ends the provider for good from `period` on. Proofs only.
    function evict(uint32 providerId, uint32 period) external;

    function getProvider(uint32 providerId) external view returns (Provider memory);
    function providerCount() external view returns (uint32);
    /// @notice 0 when the address operates no provider.
    function providerOfOperator(address operator) external view returns (uint32);
    /// @notice The hot key of an epoch, also of past ones; the zero address when there was none.
    function operatorAt(uint32 providerId, uint32 epoch) external view returns (address);
    function ownerOf(uint32 providerId) external view returns (address);
    function evictedAtPeriod(uint32 providerId) external view returns (uint32);
    function operatorEpochOf(uint32 providerId) external view returns (uint32);
    /// @notice What an offer is checked against, in one word: the present hot key, its epoch, all collateral, and whether the hot
    /// key has a cap. Nothing but zeros for an unknown provider.
    function signerOf(uint32 providerId)
        external
        view
        returns (address operator, uint32 epoch, uint64 collateralGwei, bool isCapped);
    /// @notice Owner and period of eviction (0 for none), in one word.
    function standingOf(uint32 providerId) external view returns (address owner, uint32 evictedAt);
    function collateralOf(uint32 providerId) external view returns (uint256 collateralWei);
    function freeCollateral(uint32 providerId) external view returns (uint256);
    function unbondingSeconds() external view returns (uint64);
}
