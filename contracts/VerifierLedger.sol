// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IRepairFund} from "./interfaces/IRepairFund.sol";
import {IVerifierCommittee} from "./interfaces/IVerifierCommittee.sol";
import {VerifierRules} from "./VerifierRules.sol";

/// @title Who the verifiers are: stake, the list that committees are drawn from, credits, and the only way out for tokens
/// @dev Part of VerifierCommittee. The list is an array whose every place, and whose length, keeps its history by term. A change made
/// in term t is written at t + 1, so that the list of a term that has opened can never change again (V2), and no change ever loops:
/// a leaving verifier's place is taken by the last one.
abstract contract VerifierLedger is VerifierRules, EIP712, ReentrancyGuard {
    using Checkpoints for Checkpoints.Trace224;
    using SafeERC20 for IERC20;

    /// Word 0: account 160 | stakeWei 96. Word 1: position 32 | freeFromTerm 32 | status 8 = 72 bits.
    struct VerifierRecord {
        address account;
        uint96 stakeWei;
        uint32 position;
        uint32 freeFromTerm;
        Status status;
    }

    bytes32 private constant JOIN = keccak256("Join(address verifier,uint256 amountWei,uint256 nonce,uint64 deadline)");
    uint256 private constant MAX_STAKE_WEI = type(uint96).max;
    /// @inheritdoc IVerifierCommittee
    uint256 public constant override FINDER_BPS = 500;

    /// @inheritdoc IVerifierCommittee
    uint32 public override verifierCount;
    mapping(address account => uint32 verifierId) internal _idOf;
    mapping(uint32 verifierId => VerifierRecord) internal _verifiers;
    mapping(uint32 position => Checkpoints.Trace224 verifierIdFromTerm) private _entries;
    Checkpoints.Trace224 private _lengthFromTerm;

    /// @inheritdoc IVerifierCommittee
    mapping(address account => uint256) public override creditOf;
    /// @inheritdoc IVerifierCommittee
    mapping(address account => uint256) public override nonceOf;
    /// @inheritdoc IVerifierCommittee
    uint256 public override owedToFundWei;

    constructor() EIP712("PPIO VerifierCommittee", "1") {}

    // ---- stake ----

    /// @inheritdoc IVerifierCommittee
    function join(uint256 amountWei) external nonReentrant {
        _join(msg.sender, amountWei);
    }

    /// @inheritdoc IVerifierCommittee
    function joinWithSig(address verifier, uint256 amountWei, uint64 deadline, bytes calldata signature) external nonReentrant {
        if (block.timestamp > deadline) revert AuthorizationExpired(deadline);
        _requireSignature(verifier, keccak256(abi.encode(JOIN, verifier, amountWei, nonceOf[verifier]++, deadline)), signature);
        _join(verifier, amountWei);
    }

    /// @inheritdoc IVerifierCommittee
    function topUp(address verifier, uint256 amountWei) external nonReentrant {
        VerifierRecord storage v = _verifiers[_idOf[verifier]];
        if (v.status != Status.Active && v.status != Status.Leaving) revert WrongStatus(verifier, v.status);
        _addStake(v, verifier, msg.sender, amountWei);
        _pull(msg.sender, amountWei);
    }

    /// @inheritdoc IVerifierCommittee
    function leave() external {
        VerifierRecord storage v = _verifiers[_idOf[msg.sender]];
        if (v.status != Status.Active) revert WrongStatus(msg.sender, v.status);
        _startLeaving(v);
    }

    /// @inheritdoc IVerifierCommittee
    function withdrawStake(address to) external nonReentrant returns (uint256 amountWei) {
        if (to == address(0)) revert ZeroAddress();
        VerifierRecord storage v = _verifiers[_idOf[msg.sender]];
        if (v.status != Status.Leaving) revert WrongStatus(msg.sender, v.status);
        uint32 term = currentTerm();
        if (term < v.freeFromTerm) revert StillStaked(msg.sender, v.freeFromTerm, term);
        amountWei = v.stakeWei;
        v.stakeWei = 0;
        v.status = Status.None;
        emit StakeWithdrawn(msg.sender, to, amountWei);
        IERC20(_tokenAt).safeTransfer(to, amountWei);
    }

    /// @inheritdoc IVerifierCommittee
    function withdrawCredit(address to) external nonReentrant returns (uint256 amountWei) {
        if (to == address(0)) revert ZeroAddress();
        amountWei = creditOf[msg.sender];
        if (amountWei == 0) revert NothingToWithdraw(msg.sender);
        creditOf[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, to, amountWei);
        IERC20(_tokenAt).safeTransfer(to, amountWei);
    }

    /// @inheritdoc IVerifierCommittee
    function forwardSlashed() external nonReentrant returns (uint256 amountWei) {
        amountWei = owedToFundWei;
        if (amountWei == 0) revert NothingToWithdraw(_fundAt);
        owedToFundWei = 0;
        emit SlashedForwarded(amountWei);
        IERC20 token = IERC20(_tokenAt);
        uint256 before = token.balanceOf(address(this));
        token.forceApprove(_fundAt, amountWei);
        IRepairFund(_fundAt).donate(amountWei);
        uint256 taken = before - token.balanceOf(address(this));
        if (taken != amountWei) revert UnsupportedToken(taken, amountWei);
    }

    // ---- views ----

    /// @inheritdoc IVerifierCommittee
    function verifierOf(address account) external view returns (Verifier memory) {
        uint32 id = _idOf[account];
        VerifierRecord storage v = _verifiers[id];
        return Verifier({verifierId: id, status: v.status, stakeWei: v.stakeWei, freeFromTerm: v.freeFromTerm});
    }

    /// @inheritdoc IVerifierCommittee
    function accountOf(uint32 verifierId) external view returns (address) {
        return _verifiers[verifierId].account;
    }

    /// @inheritdoc IVerifierCommittee
    function entryAt(uint32 term, uint32 position) external view returns (address) {
        if (position >= listedAt(term)) return address(0);
        return _verifiers[_entryAt(term, position)].account;
    }

    /// @inheritdoc IVerifierCommittee
    function listedAt(uint32 term) public view returns (uint256) {
        return _lengthFromTerm.upperLookupRecent(term);
    }

    /// @inheritdoc IVerifierCommittee
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // ---- inside ----

    /// Id at a place that is on the list of `term`.
    function _entryAt(uint32 term, uint256 position) internal view returns (uint32) {
        return uint32(_entries[uint32(position)].upperLookupRecent(term));
    }

    function _requireSignature(address signer, bytes32 structHash, bytes calldata signature) internal view {
        // Not ERC-1271: what a contract says about its signatures can change, so it would be no evidence.
        (address recovered,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), signature);
        if (recovered == address(0) || recovered != signer) revert InvalidSignature(recovered, signer);
    }

    function _credit(address account, uint256 amountWei) internal {
        if (amountWei == 0) return;
        creditOf[account] += amountWei;
        emit Credited(account, amountWei);
    }

    /// Takes a share of a verifier's stake for the fund, rounded up; below `keepWei` it is taken off the list.
    function _penalise(VerifierRecord storage v, uint32 term, uint256 bps, uint256 keepWei) internal returns (uint256 amountWei) {
        amountWei = (v.stakeWei * bps + BPS - 1) / BPS;
        if (amountWei == 0) return 0;
        // bps <= BPS, so the amount is at most the stake.
        v.stakeWei -= uint96(amountWei);
        owedToFundWei += amountWei;
        emit StakePenalised(v.account, term, amountWei, v.stakeWei);
        if (v.status == Status.Active && v.stakeWei < keepWei) _startLeaving(v);
    }

    /// Takes everything, for good.
    function _slash(VerifierRecord storage v, uint32 term) internal {
        uint256 stakeWei = v.stakeWei;
        if (v.status == Status.Active) _unlist(v);
        v.status = Status.Slashed;
        v.stakeWei = 0;
        uint256 finderWei = (stakeWei * FINDER_BPS) / BPS;
        owedToFundWei += stakeWei - finderWei;
        emit VerifierSlashed(v.account, term, msg.sender, finderWei, stakeWei - finderWei);
        _credit(msg.sender, finderWei);
    }

    function _join(address account, uint256 amountWei) private {
        uint32 id = _idOf[account];
        if (id == 0) {
            id = ++verifierCount;
            _idOf[account] = id;
            _verifiers[id].account = account;
        }
        VerifierRecord storage v = _verifiers[id];
        if (v.status != Status.None && v.status != Status.Leaving) revert WrongStatus(account, v.status);
        uint32 fromTerm = currentTerm() + 1;
        uint256 neededWei = paramsAt(fromTerm).minStakeWei;
        uint256 stakeWei = v.stakeWei + amountWei;
        if (stakeWei < neededWei) revert StakeTooLow(account, stakeWei, neededWei);
        _addStake(v, account, account, amountWei);
        v.status = Status.Active;
        v.freeFromTerm = 0;
        uint32 position = uint32(_lengthFromTerm.latest());
        v.position = position;
        _entries[position].push(fromTerm, id);
        _lengthFromTerm.push(fromTerm, position + 1);
        emit VerifierJoined(account, id, stakeWei, fromTerm);
        _pull(account, amountWei);
    }

    function _addStake(VerifierRecord storage v, address account, address from, uint256 amountWei) private {
        uint256 stakeWei = v.stakeWei + amountWei;
        if (stakeWei > MAX_STAKE_WEI) revert StakeTooLarge(account, stakeWei, MAX_STAKE_WEI);
        v.stakeWei = uint96(stakeWei);
        emit StakeAdded(account, from, amountWei, stakeWei);
    }

    function _startLeaving(VerifierRecord storage v) private {
        _unlist(v);
        v.status = Status.Leaving;
        v.freeFromTerm = currentTerm() + _leaveDelayTerms;
        emit VerifierLeaving(v.account, v.freeFromTerm);
    }

    /// From the next term on; the last entry takes the place.
    function _unlist(VerifierRecord storage v) private {
        uint32 fromTerm = currentTerm() + 1;
        uint32 last = uint32(_lengthFromTerm.latest()) - 1;
        uint32 position = v.position;
        if (position != last) {
            uint32 movedId = uint32(_entries[last].latest());
            _entries[position].push(fromTerm, movedId);
            _verifiers[movedId].position = position;
        }
        _lengthFromTerm.push(fromTerm, last);
    }

    function _pull(address from, uint256 amountWei) private {
        IERC20 token = IERC20(_tokenAt);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amountWei);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amountWei) revert UnsupportedToken(received, amountWei);
    }
}
