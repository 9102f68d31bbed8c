// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {ISlotChallenges} from "./interfaces/ISlotChallenges.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {LeafProofs} from "./libraries/LeafProofs.sol";

/// @title See ISlotChallenges, the manual.
contract SlotChallenges is ISlotChallenges, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Config {
        IERC20 token;
        IStorageMarket market;
        IProviderRegistry registry;
        IDrandBeacon beacon;
        address timelock;
        uint64 answerSeconds;
        uint64 seedDelaySeconds;
        uint256 bondWei;
        uint256 minBondWei;
        uint256 maxBondWei;
    }

    /// Word 0: challenger 160 | providerId 32 | deadline 64 (256 bits). Word 1: round 64 | bondWei 128 | isOwners 8.
    struct ChallengeRecord {
        address challenger;
        uint32 providerId;
        uint64 deadline;
        uint64 round;
        uint128 bondWei;
        bool isOwners;
    }

    /// As many as a proof of a period has samples, so that half a slot lost is seen 31 times in 32.
    uint256 public constant LEAVES = 5;
    uint256 public constant OPEN_MAX = 32;

    IERC20 private immutable _token;
    IStorageMarket private immutable _market;
    IProviderRegistry private immutable _registry;
    IDrandBeacon private immutable _beacon;
    address private immutable _timelock;
    /// @inheritdoc ISlotChallenges
    uint64 public immutable override answerSeconds;
    uint64 private immutable _seedDelaySeconds;
    uint256 private immutable _minBondWei;
    uint256 private immutable _maxBondWei;

    /// @inheritdoc ISlotChallenges
    uint256 public override bondWei;
    mapping(bytes32 dealId => mapping(uint8 slotIndex => ChallengeRecord)) private _challenges;
    /// @inheritdoc ISlotChallenges
    mapping(uint32 providerId => uint256) public override openCount;
    /// @inheritdoc ISlotChallenges
    mapping(address account => uint256) public override creditOf;

    constructor(Config memory c) {
        if (c.answerSeconds <= c.seedDelaySeconds) revert InvalidConfig("answerSeconds");
        if (c.minBondWei == 0 || c.minBondWei > c.maxBondWei || c.maxBondWei > type(uint128).max) revert InvalidConfig("maxBondWei");
        _token = c.token;
        _market = c.market;
        _registry = c.registry;
        _beacon = c.beacon;
        _timelock = c.timelock;
        answerSeconds = c.answerSeconds;
        _seedDelaySeconds = c.seedDelaySeconds;
        _minBondWei = c.minBondWei;
        _maxBondWei = c.maxBondWei;
        _setBond(c.bondWei);
    }

    /// @inheritdoc ISlotChallenges
    function open(bytes32 dealId, uint8 slotIndex) external nonReentrant returns (uint64 round, uint64 deadline) {
        if (_challenges[dealId][slotIndex].challenger != address(0)) _resolve(dealId, slotIndex);
        (uint32 providerId, address owner) = _market.startChallenge(dealId, slotIndex);
        bool isOwners = msg.sender == owner;
        if (!isOwners && ++openCount[providerId] > OPEN_MAX) revert TooManyChallenges(providerId, OPEN_MAX);
        round = _beacon.firstRoundAfter(block.timestamp + _seedDelaySeconds);
        deadline = uint64(block.timestamp) + answerSeconds;
        uint256 bond = bondWei;
        _challenges[dealId][slotIndex] =
            ChallengeRecord(msg.sender, providerId, deadline, round, uint128(bond), isOwners);
        emit ChallengeOpened(dealId, slotIndex, providerId, msg.sender, round, deadline, bond);
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), bond);
        uint256 received = _token.balanceOf(address(this)) - before;
        if (received != bond) revert UnsupportedToken(received, bond);
    }

    /// @inheritdoc ISlotChallenges
    function answer(bytes32 dealId, uint8 slotIndex, bytes[] calldata proofs) external nonReentrant {
        _answer(dealId, slotIndex, proofs);
    }

    /// @inheritdoc ISlotChallenges
    function answerWithBeacon(bytes32 dealId, uint8 slotIndex, bytes[] calldata proofs, bytes calldata signature)
        external
        nonReentrant
    {
        _beacon.submit(_challenges[dealId][slotIndex].round, signature);
        _answer(dealId, slotIndex, proofs);
    }

    function _answer(bytes32 dealId, uint8 slotIndex, bytes[] calldata proofs) private {
        ChallengeRecord memory c = _existing(dealId, slotIndex);
        if (block.timestamp > c.deadline) revert DeadlinePassed(c.deadline);
        uint256[] memory leaves = leavesOf(dealId, slotIndex);
        (bytes32 root,,, uint64 leafCount,,) = _market.slotForProof(dealId, slotIndex, c.providerId);
        if (proofs.length != LEAVES) revert WrongLeafCount(proofs.length, LEAVES);
        for (uint256 i; i < LEAVES; ++i) {
            if (!LeafProofs.isValid(root, leafCount, leaves[i], proofs[i])) revert InvalidProof(leaves[i]);
        }
        emit ChallengeAnswered(dealId, slotIndex, c.providerId);
        _end(dealId, slotIndex, c, _registry.ownerOf(c.providerId));
        _market.endChallenge(dealId, slotIndex, address(0));
    }

    /// @inheritdoc ISlotChallenges
    function resolve(bytes32 dealId, uint8 slotIndex) external nonReentrant {
        _resolve(dealId, slotIndex);
    }

    function _resolve(bytes32 dealId, uint8 slotIndex) private {
        ChallengeRecord memory c = _existing(dealId, slotIndex);
        bool isHeld = _market.slot(dealId, slotIndex).status == IStorageMarket.SlotStatus.Challenged;
        if (isHeld && block.timestamp <= c.deadline) revert DeadlineAhead(c.deadline);
        _end(dealId, slotIndex, c, c.challenger);
        // A beacon that came late may have left no time to answer.
        if (isHeld && _beacon.isOnTime(c.round)) {
            emit ChallengeForfeited(dealId, slotIndex, c.providerId);
            _market.endChallenge(dealId, slotIndex, c.challenger);
        } else {
            emit ChallengeDismissed(dealId, slotIndex, c.providerId);
            _market.endChallenge(dealId, slotIndex, address(0));
        }
    }

    /// @inheritdoc ISlotChallenges
    function withdraw(address to) external nonReentrant returns (uint256 amountWei) {
        amountWei = creditOf[msg.sender];
        if (amountWei == 0) revert NothingToWithdraw(msg.sender);
        creditOf[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amountWei);
        _token.safeTransfer(to, amountWei);
    }

    /// @inheritdoc ISlotChallenges
    function setBond(uint256 bondWei_) external {
        if (msg.sender != _timelock) revert NotAuthorized(msg.sender);
        _setBond(bondWei_);
    }

    // ---- views ----

    /// @inheritdoc ISlotChallenges
    function challengeOf(bytes32 dealId, uint8 slotIndex) external view returns (Challenge memory) {
        ChallengeRecord memory c = _challenges[dealId][slotIndex];
        return Challenge(c.challenger, c.providerId, c.deadline, c.round, c.bondWei, c.isOwners);
    }

    /// @inheritdoc ISlotChallenges
    function leavesOf(bytes32 dealId, uint8 slotIndex) public view returns (uint256[] memory leaves) {
        ChallengeRecord memory c = _existing(dealId, slotIndex);
        bytes32 randomness = _beacon.randomness(c.round);
        if (randomness == 0) revert BeaconUnavailable(c.round);
        (,,, uint64 leafCount,,) = _market.slotForProof(dealId, slotIndex, c.providerId);
        leaves = LeafProofs.draw(randomness, abi.encodePacked(dealId, slotIndex), "challenge", LEAVES, leafCount);
    }

    // ---- inside ----

    function _existing(bytes32 dealId, uint8 slotIndex) private view returns (ChallengeRecord memory c) {
        c = _challenges[dealId][slotIndex];
        if (c.challenger == address(0)) revert NoChallenge(dealId, slotIndex);
    }

    /// Forgets a challenge and credits its bond.
    function _end(bytes32 dealId, uint8 slotIndex, ChallengeRecord memory c, address bondTo) private {
        delete _challenges[dealId][slotIndex];
        if (!c.isOwners) --openCount[c.providerId];
        creditOf[bondTo] += c.bondWei;
    }

    function _setBond(uint256 bondWei_) private {
        if (bondWei_ < _minBondWei || bondWei_ > _maxBondWei) revert BondOutOfBounds(bondWei_, _minBondWei, _maxBondWei);
        bondWei = bondWei_;
        emit BondChanged(bondWei_);
    }
}
