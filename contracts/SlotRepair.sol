// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {ISlotRepair} from "./interfaces/ISlotRepair.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {LeafProofs} from "./libraries/LeafProofs.sol";

/// @title See ISlotRepair, the manual.
contract SlotRepair is ISlotRepair, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Config {
        IERC20 token;
        IStorageMarket market;
        IDrandBeacon beacon;
        uint64 reservationSeconds;
        uint64 seedDelaySeconds;
        uint16 bondBps;
    }

    /// Word 0: repairer 160 | openedAt 48 | until 48 (256 bits). Word 1: round 64 | bondWei 128.
    struct ReservationRecord {
        address repairer;
        uint48 openedAt;
        uint48 until;
        uint64 round;
        uint128 bondWei;
    }

    uint256 public constant LEAVES = 5;
    /// All slots of the largest deal.
    uint256 public constant SLOTS_PER_CALL_MAX = 128;
    uint256 private constant GWEI = 1e9;

    IERC20 private immutable _token;
    IStorageMarket private immutable _market;
    IDrandBeacon private immutable _beacon;
    uint64 private immutable _seedDelaySeconds;
    /// @inheritdoc ISlotRepair
    uint64 public immutable override reservationSeconds;
    /// @inheritdoc ISlotRepair
    uint16 public immutable override bondBps;

    mapping(bytes32 dealId => mapping(uint8 slotIndex => ReservationRecord)) private _reservations;
    /// @inheritdoc ISlotRepair
    mapping(address account => uint256) public override creditOf;

    constructor(Config memory c) {
        if (c.reservationSeconds <= c.seedDelaySeconds) revert InvalidConfig("reservationSeconds");
        // A bond of nothing would let anyone hold slots back for nothing.
        if (c.bondBps == 0 || c.bondBps > 10_000) revert InvalidConfig("bondBps");
        _token = c.token;
        _market = c.market;
        _beacon = c.beacon;
        _seedDelaySeconds = c.seedDelaySeconds;
        reservationSeconds = c.reservationSeconds;
        bondBps = c.bondBps;
        // Decayed bonds go to the market's repair fund.
        c.token.forceApprove(address(c.market), type(uint256).max);
    }

    /// @inheritdoc ISlotRepair
    function reserve(bytes32 dealId, uint8[] calldata slotIndices) external nonReentrant returns (uint64 round, uint64 until) {
        if (slotIndices.length == 0 || slotIndices.length > SLOTS_PER_CALL_MAX) {
            revert TooManySlots(slotIndices.length, SLOTS_PER_CALL_MAX);
        }
        round = _beacon.firstRoundAfter(block.timestamp + _seedDelaySeconds);
        until = uint64(block.timestamp) + reservationSeconds;
        uint256 totalWei;
        for (uint256 i; i < slotIndices.length; ++i) {
            uint8 slotIndex = slotIndices[i];
            ReservationRecord memory old = _reservations[dealId][slotIndex];
            if (old.repairer != address(0)) {
                if (!_isOver(dealId, slotIndex, old)) revert AlreadyReserved(dealId, slotIndex, old.until);
                _end(dealId, slotIndex, old);
                _market.unreserve(dealId, slotIndex);
            }
            uint256 bond = (_market.reserve(dealId, slotIndex) * GWEI * bondBps) / 10_000;
            _reservations[dealId][slotIndex] =
                ReservationRecord(msg.sender, uint48(block.timestamp), uint48(until), round, uint128(bond));
            emit SlotReserved(dealId, slotIndex, msg.sender, round, until, bond);
            totalWei += bond;
        }
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), totalWei);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != totalWei) revert UnsupportedToken(received, totalWei);
    }

    /// @inheritdoc ISlotRepair
    function fill(
        bytes32 dealId,
        uint8 slotIndex,
        IStorageMarket.SlotOffer calldata offer,
        IStorageMarket.RefillTerms calldata terms,
        bytes[] calldata proofs
    ) external nonReentrant returns (uint256 premiumWei) {
        ReservationRecord memory r = _existing(dealId, slotIndex);
        if (msg.sender != r.repairer) revert NotAuthorized(msg.sender);
        if (block.timestamp > r.until) revert ReservationOver(r.until);
        uint256[] memory leaves = leavesOf(dealId, slotIndex, offer.providerId);
        if (proofs.length != LEAVES) revert WrongLeafCount(proofs.length, LEAVES);
        // Root and leaf count of the offer are the slot's, which the market checks.
        for (uint256 i; i < LEAVES; ++i) {
            if (!LeafProofs.isValid(offer.root, offer.leafCount, leaves[i], proofs[i])) revert InvalidProof(leaves[i]);
        }
        _end(dealId, slotIndex, r);
        premiumWei = _market.refillReserved(dealId, slotIndex, offer, terms, r.repairer);
        emit SlotRepaired(dealId, slotIndex, r.repairer, offer.providerId, premiumWei);
    }

    /// @inheritdoc ISlotRepair
    function release(bytes32 dealId, uint8 slotIndex) external nonReentrant {
        ReservationRecord memory r = _existing(dealId, slotIndex);
        if (msg.sender != r.repairer && !_isOver(dealId, slotIndex, r)) revert NotAuthorized(msg.sender);
        _end(dealId, slotIndex, r);
        _market.unreserve(dealId, slotIndex);
    }

    /// @inheritdoc ISlotRepair
    function withdraw(address to) external nonReentrant returns (uint256 amountWei) {
        amountWei = creditOf[msg.sender];
        if (amountWei == 0) revert NothingToWithdraw(msg.sender);
        creditOf[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    // ---- views ----

    /// @inheritdoc ISlotRepair
    function reservationOf(bytes32 dealId, uint8 slotIndex) external view returns (Reservation memory) {
        ReservationRecord memory r = _reservations[dealId][slotIndex];
        return Reservation(r.repairer, r.openedAt, r.until, r.round, r.bondWei);
    }

    /// @inheritdoc ISlotRepair
    function leavesOf(bytes32 dealId, uint8 slotIndex, uint32 providerId) public view returns (uint256[] memory leaves) {
        ReservationRecord memory r = _existing(dealId, slotIndex);
        bytes32 randomness = _beacon.randomness(r.round);
        if (randomness == 0) revert BeaconUnavailable(r.round);
        uint256 leafCount = _market.slot(dealId, slotIndex).leafCount;
        leaves = LeafProofs.draw(randomness, abi.encodePacked(dealId, slotIndex, providerId), "repair", LEAVES, leafCount);
    }

    // ---- inside ----

    function _existing(bytes32 dealId, uint8 slotIndex) private view returns (ReservationRecord memory r) {
        r = _reservations[dealId][slotIndex];
        if (r.repairer == address(0)) revert NoReservation(dealId, slotIndex);
    }

    function _isOver(bytes32 dealId, uint8 slotIndex, ReservationRecord memory r) private view returns (bool) {
        return block.timestamp > r.until || _market.slot(dealId, slotIndex).status != IStorageMarket.SlotStatus.Reserved;
    }

    /// Forgets a reservation: what is left of the bond to its holder, what has decayed to the repair fund.
    function _end(bytes32 dealId, uint8 slotIndex, ReservationRecord memory r) private {
        delete _reservations[dealId][slotIndex];
        uint256 left = block.timestamp >= r.until ? 0 : r.until - block.timestamp;
        uint256 returnedWei = (r.bondWei * left) / (r.until - r.openedAt);
        uint256 decayedWei = r.bondWei - returnedWei;
        creditOf[r.repairer] += returnedWei;
        emit ReservationEnded(dealId, slotIndex, r.repairer, returnedWei, decayedWei);
        if (decayedWei != 0) _market.donate(decayedWei);
    }
}
