// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {EscrowLedger} from "./EscrowLedger.sol";
import {IBandwidthEscrow} from "./interfaces/IBandwidthEscrow.sol";
import {EscrowTypes} from "./libraries/EscrowTypes.sol";

/// @title See IBandwidthEscrow, the manual.
/// @dev Session keys, vouchers and overdrafts are here; what goes in and out in EscrowLedger. A voucher of a stream that was paid before
/// touches two words, the payer's account and the stream, and writes both; all else is arranged around that.
contract BandwidthEscrow is EscrowLedger {
    /// @inheritdoc IBandwidthEscrow
    uint256 public constant override VOUCHERS_PER_CALL_MAX = 200;
    /// @inheritdoc IBandwidthEscrow
    uint256 public constant override KEY_SECONDS_MAX = 366 days;
    /// @inheritdoc IBandwidthEscrow
    uint96 public constant override NO_BUDGET = type(uint96).max;
    /// One part of a bond that was taken heals, the others are burnt.
    uint96 private constant BOND_PARTS = 3;

    /// One word: cap per payee 96 | budget left 96 | expiry 40 (232 bits). Written when it is authorised or revoked, and by redemption only
    /// where it has a budget.
    struct KeyRecord {
        uint96 capPerPayeeWei;
        uint96 budgetLeftWei;
        uint40 expiry;
    }

    /// One word: redeemed 96 | cap per payee 96 | redeemable until 40 | keysEpoch 24 (256 bits). The last three are remembered from the key
    /// at the first payment, so that later ones need not look it up; good while the payer's keysEpoch is the same. A key with a budget is
    /// not remembered (redeemable until 0): it is looked up and written every time.
    struct StreamRecord {
        uint96 redeemedWei;
        uint96 capPerPayeeWei;
        uint40 redeemableUntil;
        uint24 keysEpoch;
    }

    /// What a stream may be paid under.
    struct Terms {
        uint96 capPerPayeeWei;
        uint96 budgetLeftWei;
        uint40 redeemableUntil;
        bool isRemembered;
    }

    mapping(address payer => mapping(address key => KeyRecord)) private _keys;
    mapping(address payer => mapping(address payee => mapping(address key => StreamRecord))) private _streams;

    constructor(address token_, uint40 delaySeconds_) EscrowLedger(token_, delaySeconds_) {}

    // ---- session keys ----

    /// @inheritdoc IBandwidthEscrow
    function authorizeKey(address key, uint96 capPerPayeeWei, uint96 budgetWei, uint40 expiry) external {
        _authorize(msg.sender, key, capPerPayeeWei, budgetWei, expiry);
    }

    /// @inheritdoc IBandwidthEscrow
    function authorizeKeyWithSig(
        address payer,
        address key,
        uint96 capPerPayeeWei,
        uint96 budgetWei,
        uint40 expiry,
        uint64 deadline,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(EscrowTypes.AUTHORIZE_KEY, payer, key, capPerPayeeWei, budgetWei, expiry, nonceOf[payer]++, deadline)
        );
        _requireSignature(payer, structHash, deadline, signature);
        _authorize(payer, key, capPerPayeeWei, budgetWei, expiry);
    }

    /// @inheritdoc IBandwidthEscrow
    function revokeKey(address key) external {
        _revoke(msg.sender, key);
    }

    /// @inheritdoc IBandwidthEscrow
    function revokeKeyWithSig(address payer, address key, uint64 deadline, bytes calldata signature) external {
        bytes32 structHash = keccak256(abi.encode(EscrowTypes.REVOKE_KEY, payer, key, nonceOf[payer]++, deadline));
        _requireSignature(payer, structHash, deadline, signature);
        _revoke(payer, key);
    }

    /// None -> Live.
    function _authorize(address payer, address key, uint96 capPerPayeeWei, uint96 budgetWei, uint40 expiry) private {
        // The zero address is what a broken signature recovers to.
        if (key == address(0)) revert InvalidAddress("key");
        if (capPerPayeeWei == 0 || budgetWei == 0) revert ZeroAmount();
        if (expiry <= block.timestamp || expiry > block.timestamp + KEY_SECONDS_MAX) {
            revert InvalidExpiry(expiry, block.timestamp + 1, block.timestamp + KEY_SECONDS_MAX);
        }
        KeyRecord storage k = _keys[payer][key];
        if (k.capPerPayeeWei != 0) revert KeyExists(payer, key);
        (k.capPerPayeeWei, k.budgetLeftWei, k.expiry) = (capPerPayeeWei, budgetWei, expiry);
        emit KeyAuthorized(payer, key, capPerPayeeWei, budgetWei, expiry);
    }

    /// Live -> Ended.
    function _revoke(address payer, address key) private {
        KeyRecord storage k = _keys[payer][key];
        if (k.expiry <= block.timestamp) revert KeyNotLive(payer, key, k.expiry);
        k.expiry = uint40(block.timestamp);
        _accounts[payer].keysEpoch += 1;
        emit KeyRevoked(payer, key, k.expiry + delaySeconds);
    }

    // ---- vouchers ----

    /// @inheritdoc IBandwidthEscrow
    function redeem(address payee, Voucher calldata voucher) external returns (uint256 creditedWei, Outcome outcome) {
        if (payee == address(0)) revert InvalidAddress("payee");
        uint256[] memory payments = new uint256[](1);
        (creditedWei, outcome) = _redeem(_domainSeparatorV4(), payee, voucher);
        payments[0] = (uint256(uint160(voucher.payer)) << 96) | creditedWei;
        _credit(payee, creditedWei, payments);
    }

    /// @inheritdoc IBandwidthEscrow
    function redeemBatch(address payee, Voucher[] calldata vouchers)
        external
        returns (uint256 creditedWei, Outcome[] memory outcomes)
    {
        if (payee == address(0)) revert InvalidAddress("payee");
        uint256 count = vouchers.length;
        if (count == 0 || count > VOUCHERS_PER_CALL_MAX) revert InvalidBatchLength(count, VOUCHERS_PER_CALL_MAX);
        outcomes = new Outcome[](count);
        uint256[] memory payments = new uint256[](count);
        bytes32 separator = _domainSeparatorV4();
        for (uint256 i; i < count; ++i) {
            Voucher calldata voucher = vouchers[i];
            (uint256 paidWei, Outcome outcome) = _redeem(separator, payee, voucher);
            outcomes[i] = outcome;
            payments[i] = (uint256(uint160(voucher.payer)) << 96) | paidWei;
            creditedWei += paidWei;
        }
        _credit(payee, creditedWei, payments);
    }

    function _credit(address payee, uint256 creditedWei, uint256[] memory payments) private {
        if (creditedWei != 0) creditOf[payee] += creditedWei;
        emit VouchersRedeemed(payee, creditedWei, payments);
    }

    /// Takes what a voucher is owed out of its payer's books; the caller credits it.
    function _redeem(bytes32 separator, address payee, Voucher calldata voucher) private returns (uint256 paidWei, Outcome outcome) {
        (address payer, uint96 cumulativeWei) = (voucher.payer, voucher.cumulativeWei);
        bytes32 structHash = keccak256(abi.encode(EscrowTypes.VOUCHER, payer, payee, cumulativeWei));
        bytes32 digest = MessageHashUtils.toTypedDataHash(separator, structHash);
        // Broken signatures recover to the zero address, which is nobody's key.
        (address key,,) = ECDSA.tryRecover(digest, voucher.r, voucher.vs);

        AccountRecord storage a = _accounts[payer];
        StreamRecord storage s = _streams[payer][payee][key];
        Terms memory terms = _termsOf(payer, key, a, s);
        uint96 redeemedWei = s.redeemedWei;
        outcome = _check(cumulativeWei, redeemedWei, terms);
        if (outcome != Outcome.Paid) {
            emit VoucherRefused(payee, payer, key, cumulativeWei, outcome);
            return (0, outcome);
        }

        uint96 owedWei = _min(cumulativeWei, terms.capPerPayeeWei) - redeemedWei;
        uint96 reserveWei = a.reserveWei;
        uint96 fromReserveWei = _min(owedWei, _min(reserveWei, terms.budgetLeftWei));
        a.reserveWei = reserveWei - fromReserveWei;
        if (terms.budgetLeftWei != NO_BUDGET) _keys[payer][key].budgetLeftWei = terms.budgetLeftWei - fromReserveWei;
        if (fromReserveWei < owedWei) {
            outcome = Outcome.Overdrawn;
            emit VoucherRefused(payee, payer, key, cumulativeWei, outcome);
            uint96 shortWei = owedWei - fromReserveWei;
            (uint96 restoredWei, uint96 takenWei) = _answerOverdraft(payer, a, shortWei);
            emit Overdrawn(payer, payee, key, shortWei, restoredWei, takenWei);
            owedWei = fromReserveWei + restoredWei;
        }
        _writeStream(s, redeemedWei + owedWei, terms, a);
        return (owedWei, outcome);
    }

    /// Remembered with the stream, or else what the key's own word says.
    function _termsOf(address payer, address key, AccountRecord storage a, StreamRecord storage s)
        private
        view
        returns (Terms memory)
    {
        uint40 redeemableUntil = s.redeemableUntil;
        if (redeemableUntil != 0 && s.keysEpoch == a.keysEpoch) return Terms(s.capPerPayeeWei, NO_BUDGET, redeemableUntil, true);
        KeyRecord storage k = _keys[payer][key];
        return Terms(k.capPerPayeeWei, k.budgetLeftWei, k.expiry + delaySeconds, false);
    }

    /// Paid when there is something to pay.
    function _check(uint96 cumulativeWei, uint96 redeemedWei, Terms memory terms) private view returns (Outcome) {
        if (terms.capPerPayeeWei == 0) return Outcome.UnknownKey;
        if (block.timestamp > terms.redeemableUntil) return Outcome.KeyEnded;
        if (cumulativeWei <= redeemedWei) return Outcome.NothingNew;
        return redeemedWei < terms.capPerPayeeWei ? Outcome.Paid : Outcome.AtCap;
    }

    function _writeStream(StreamRecord storage s, uint96 redeemedWei, Terms memory terms, AccountRecord storage a) private {
        s.redeemedWei = redeemedWei;
        if (terms.isRemembered || terms.budgetLeftWei != NO_BUDGET) return;
        (s.capPerPayeeWei, s.redeemableUntil, s.keysEpoch) = (terms.capPerPayeeWei, terms.redeemableUntil, a.keysEpoch);
    }

    /// Takes the whole bond, burns two thirds, and gives the payee that is short what restitution there is.
    function _answerOverdraft(address payer, AccountRecord storage a, uint96 shortWei)
        private
        returns (uint96 restoredWei, uint96 takenWei)
    {
        _lapseRestitution(payer, a);
        a.overdrafts += 1;
        takenWei = a.bondWei;
        uint96 restitutionWei = a.restitutionWei;
        if (takenWei != 0) {
            a.bondWei = 0;
            uint96 healWei = takenWei / BOND_PARTS;
            burnableWei += takenWei - healWei;
            restitutionWei += healWei;
            a.restitutionUntil = uint40(block.timestamp) + delaySeconds;
        }
        restoredWei = _min(shortWei, restitutionWei);
        a.restitutionWei = restitutionWei - restoredWei;
    }

    // ---- views ----

    /// @inheritdoc IBandwidthEscrow
    function keyOf(address payer, address key) external view returns (SessionKey memory) {
        KeyRecord storage k = _keys[payer][key];
        return SessionKey(k.capPerPayeeWei, k.budgetLeftWei, k.expiry, k.expiry == 0 ? 0 : k.expiry + delaySeconds);
    }

    /// @inheritdoc IBandwidthEscrow
    function redeemedOf(address payer, address payee, address key) external view returns (uint96) {
        return _streams[payer][payee][key].redeemedWei;
    }

    /// @inheritdoc IBandwidthEscrow
    function promiseOf(address payer, address payee, address key) external view returns (Promise memory p) {
        AccountRecord storage a = _accounts[payer];
        KeyRecord storage k = _keys[payer][key];
        p.redeemedWei = _streams[payer][payee][key].redeemedWei;
        p.bondWei = a.bondWei - _min(a.bondWei, a.requestedBondWei);
        p.payableWei = _min(a.reserveWei - _min(a.reserveWei, a.requestedReserveWei), k.budgetLeftWei);
        p.serveUntil = k.expiry;
        if (block.timestamp < k.expiry) p.capLeftWei = k.capPerPayeeWei - p.redeemedWei;
    }

    /// @inheritdoc IBandwidthEscrow
    function voucherDigest(address payer, address payee, uint96 cumulativeWei) external view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(EscrowTypes.VOUCHER, payer, payee, cumulativeWei)));
    }
}
