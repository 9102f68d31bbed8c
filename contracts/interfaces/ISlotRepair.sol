// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "./IStorageMarket.sol";

/// @title Repair of slots that nobody holds, by anyone and without a key
/// @notice A repairer reserves vacant slots with a bond, reads k others of the deal once (the reservation is its ticket), rebuilds what was
/// lost and hands each slot to a provider, which signs the usual offer. That the bytes are really there is shown by `LEAVES` leaves that a
/// beacon round after the reservation decides, so nobody needs to trust the repairer. Pay: the old price for the new holder, and for the
/// repairer a premium from the repair fund that rises with the time of vacancy.
///
/// The bond decays by time alone, from all of it at the reservation to nothing at its end: whoever repairs or gives up gets what is left,
/// so that a peer that refuses to serve cannot burn it, and holding a slot back costs money. What has decayed goes to the repair fund.
///
/// leaf(i) = keccak256(randomness, dealId, slotIndex, providerId, i, "repair") mod leafCount (ABI-packed: bytes32, bytes32, uint8, uint32,
/// uint8, and 6 bytes).
/// @dev Invariants: N1 one reservation per slot; N2 token balance >= Σ bonds of reservations + Σ credits; N3 a bond's parts are the bond;
/// N4 a slot is Reserved in the market only while a reservation of it is kept here; N5 every reservation ends: by its holder at any time,
/// by anyone after its end; N6 a bond is its share of the slot's collateral.
interface ISlotRepair {
    struct Reservation {
        address repairer;
        uint64 openedAt;
        /// Unix seconds.
        uint64 until;
        /// drand round that decides the leaves.
        uint64 round;
        uint256 bondWei;
    }

    event SlotReserved(
        bytes32 indexed dealId, uint8 indexed slotIndex, address indexed repairer, uint64 round, uint64 until, uint256 bondWei
    );
    event SlotRepaired(bytes32 indexed dealId, uint8 indexed slotIndex, address indexed repairer, uint32 providerId, uint256 premiumWei);
    event ReservationEnded(bytes32 indexed dealId, uint8 indexed slotIndex, address indexed repairer, uint256 returnedWei, uint256 decayedWei);
    event BondChanged(uint256 bondBps);
    event Withdrawn(address indexed account, address to, uint256 amountWei);

    error NotAuthorized(address caller);
    error InvalidConfig(string field);
    error TooManySlots(uint256 actual, uint256 max);
    error AlreadyReserved(bytes32 dealId, uint8 slotIndex, uint64 until);
    error NoReservation(bytes32 dealId, uint8 slotIndex);
    error ReservationOver(uint64 until);
    error BeaconUnavailable(uint64 round);
    error WrongLeafCount(uint256 actual, uint256 expected);
    error InvalidProof(uint256 leaf);
    error NothingToWithdraw(address account);
    error UnsupportedToken(uint256 received, uint256 expected);

    /// @notice Reserves vacant slots of a deal (settle slots of evicted providers first, or in the same call: they are settled here). Takes
    /// `bondBps` of each slot's collateral as bond out of the caller's tokens.
    function reserve(bytes32 dealId, uint8[] calldata slotIndices) external returns (uint64 round, uint64 until);

    /// @notice Gives a reserved slot to the provider of `offer`, with proofs of the leaves for that provider and no less
    /// collateral than before. The reservation's holder only.
    function fill(
        bytes32 dealId,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms,
        bytes[] calldata proofs
    ) external returns (uint256 premiumWei);

    /// @notice Ends a reservation: its holder at any time, anyone once it is over or its slot is no longer reserved.
    function release(bytes32 dealId, uint8 slotIndex) external;

    /// @notice Pays out the caller's bonds.
    function withdraw(address to) external returns (uint256 amountWei);

    function reservationOf(bytes32 dealId, uint8 slotIndex) external view returns (Reservation memory);
    /// @notice Leaves that `fill` must show for `providerId`; reverts while their round is not known.
    function leavesOf(bytes32 dealId, uint8 slotIndex, uint32 providerId) external view returns (uint256[] memory);
    function creditOf(address account) external view returns (uint256);
    function bondBps() external view returns (uint16);
    function reservationSeconds() external view returns (uint64);
}
