// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Where every developer's sponsor pool is
/// @notice Deploys one whole pool per developer, no proxy. A pool's address follows from the developer's, so it can be named as
/// payer, and be sent tokens, before it exists. Anyone may create it: the developer is its owner from the first moment, and
/// nothing is sponsored before the developer has set hot key, limits and budget.
/// @dev Invariants: F1 a developer has at most one pool here, at `poolOf`, made of this factory's own code; F2 a pool's first
/// owner is the developer it was made for.
interface ISponsorPools {
    event PoolCreated(address indexed developer, address pool);

    error PoolExists(address developer, address pool);

    function createPool(address developer) external returns (address pool);

    /// @notice The address of the developer's pool, whether or not it exists yet.
    function poolOf(address developer) external view returns (address pool);
    /// @notice Whether this factory made the contract at `pool`.
    function isPool(address pool) external view returns (bool);
    function market() external view returns (address);
}
