// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

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

    /// Half the order of secp256k1's group, rounded up (EIP-2).
    uint256 private constant S_LIMIT = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A1;

    // Where parts of EscrowLedger's records lie. Redemption reads and writes whole words: member by member costs a tenth more.
    /// keysEpoch, the last part of an account's first word.
    uint256 private constant ACCOUNT_EPOCH_BIT = 224;
    /// In a key's word and in a stream's.
    uint256 private constant CAP_BIT = 96;
    /// Expiry in a key's word, redeemable until in a stream's.
    uint256 private constant UNTIL_BIT = 192;
    /// In a stream's word.
    uint256 private constant EPOCH_BIT = 232;
    /// Words before `AccountRecord.keys` and `KeyRecord.streams`.
    uint256 private constant KEYS_OFFSET = 3;
    uint256 private constant STREAMS_OFFSET = 1;

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
        KeyRecord storage k = _accounts[payer].keys[key];
        if (k.capPerPayeeWei != 0) revert KeyExists(payer, key);
        (k.capPerPayeeWei, k.budgetLeftWei, k.expiry) = (capPerPayeeWei, budgetWei, expiry);
        emit KeyAuthorized(payer, key, capPerPayeeWei, budgetWei, expiry);
    }

    /// Live -> Ended.
    function _revoke(address payer, address key) private {
        KeyRecord storage k = _accounts[payer].keys[key];
        if (k.expiry <= block.timestamp) revert KeyNotLive(payer, key, k.expiry);
        k.expiry = uint40(block.timestamp);
        _accounts[payer].keysEpoch += 1;
        emit KeyRevoked(payer, key, k.expiry + delaySeconds);
    }

    // ---- vouchers ----

    /// @inheritdoc IBandwidthEscrow
    function redeem(address payee, Voucher calldata voucher) external returns (uint256 creditedWei, Outcome outcome) {
        // One voucher is a batch of one (E10).
        Voucher[] calldata vouchers;
        assembly ("memory-safe") {
            vouchers.offset := voucher
            vouchers.length := 1
        }
        bytes memory outcomes;
        (creditedWei, outcomes) = _redeemAll(payee, vouchers);
        return (creditedWei, Outcome(uint8(outcomes[0])));
    }

    /// @inheritdoc IBandwidthEscrow
    function redeemBatch(address payee, Voucher[] calldata vouchers) external returns (uint256 creditedWei, bytes memory outcomes) {
        if (vouchers.length == 0 || vouchers.length > VOUCHERS_PER_CALL_MAX) {
            revert InvalidBatchLength(vouchers.length, VOUCHERS_PER_CALL_MAX);
        }
        return _redeemAll(payee, vouchers);
    }

    function _redeemAll(address payee, Voucher[] calldata vouchers) private returns (uint256 creditedWei, bytes memory outcomes) {
        if (payee == address(0)) revert InvalidAddress("payee");
        uint256 count = vouchers.length;
        outcomes = new bytes(count);
        bytes memory payments = new bytes(32 * count);
        bytes32 separator = _domainSeparatorV4();
        for (uint256 i; i < count; ++i) {
            Voucher calldata voucher = vouchers[i];
            (uint256 payment, Outcome outcome) = _redeem(separator, payee, voucher.claim, voucher.r, voucher.vs);
            if (outcome != Outcome.Paid) outcomes[i] = bytes1(uint8(outcome));
            assembly ("memory-safe") {
                mstore(add(add(payments, 0x20), shl(5, i)), payment)
            }
            // At most 200 amounts below 2^96.
            unchecked {
                creditedWei += uint96(payment);
            }
        }
        if (creditedWei != 0) creditOf[payee] += creditedWei;
        emit VouchersRedeemed(payee, creditedWei, payments);
    }

    /// Takes what a voucher is owed out of its payer's books, for the caller to credit. Says what is paid in the form of the claim.
    function _redeem(bytes32 separator, address payee, uint256 claim, bytes32 r, bytes32 vs)
        private
        returns (uint256 payment, Outcome outcome)
    {
        address payer = address(uint160(claim >> 96));
        uint256 cumulativeWei = uint96(claim);
        // Broken signatures recover to the zero address, which is nobody's key.
        address key = _signerOf(separator, payer, payee, cumulativeWei, r, vs);
        (AccountRecord storage a, KeyRecord storage k, StreamRecord storage s) = _locate(payer, key, payee);
        uint256 account = _load(a);
        uint256 stream = s.word;
        uint256 payableWei = uint96(account);
        uint256 keyWord;
        bool hasBudget;
        // What is taken from, or added to, is the lowest part of its word and stays within it: reserve, budget, redeemed up to the cap.
        // The year 36812 is the first in which the delay would carry an expiry out of its 40 bits.
        unchecked {
            // One more than the count, so that an empty stream remembers nothing.
            uint256 epoch = (account >> ACCOUNT_EPOCH_BIT) + 1;
            if (stream >> EPOCH_BIT != epoch) {
                keyWord = _load(k);
                hasBudget = uint96(keyWord) != NO_BUDGET;
                if (hasBudget) payableWei = _lesser(payableWei, uint96(keyWord));
                uint256 terms = ((keyWord >> CAP_BIT) << CAP_BIT) + (uint256(delaySeconds) << UNTIL_BIT);
                stream = uint96(stream) | terms | (epoch << EPOCH_BIT);
            }

            uint256 owedWei;
            (owedWei, outcome) = _owed(stream, cumulativeWei);
            if (owedWei == 0) {
                emit VoucherRefused(payee, payer, key, uint96(cumulativeWei), outcome);
                return (claim - cumulativeWei, outcome);
            }
            uint256 takenWei = _lesser(owedWei, payableWei);
            _store(a, account - takenWei);
            if (hasBudget) {
                _store(k, keyWord - takenWei);
                stream = uint96(stream);
            }
            if (takenWei != owedWei) {
                owedWei = takenWei + _answerOverdraft(payer, payee, key, uint96(owedWei - takenWei));
                outcome = Outcome.Overdrawn;
                emit VoucherRefused(payee, payer, key, uint96(cumulativeWei), outcome);
            }
            s.word = stream + owedWei;
            return (claim - cumulativeWei + owedWei, outcome);
        }
    }

    /// `_accounts[payer]`, its `keys[key]` and its `streams[payee]`, by Solidity's rule for mappings: without it each step would clean its
    /// address once more.
    function _locate(address payer, address key, address payee)
        private
        pure
        returns (AccountRecord storage a, KeyRecord storage k, StreamRecord storage s)
    {
        assembly ("memory-safe") {
            mstore(0x00, payer)
            mstore(0x20, _accounts.slot)
            a.slot := keccak256(0x00, 0x40)
            mstore(0x00, key)
            mstore(0x20, add(a.slot, KEYS_OFFSET))
            k.slot := keccak256(0x00, 0x40)
            mstore(0x00, payee)
            mstore(0x20, add(k.slot, STREAMS_OFFSET))
            s.slot := keccak256(0x00, 0x40)
        }
    }

    /// What a stream with these terms is still owed; nothing unless the outcome is Paid.
    function _owed(uint256 stream, uint256 cumulativeWei) private view returns (uint256 owedWei, Outcome outcome) {
        uint256 redeemedWei = uint96(stream);
        uint256 capWei = uint96(stream >> CAP_BIT);
        // An unknown key ended long ago.
        if (block.timestamp > uint40(stream >> UNTIL_BIT)) return (0, capWei == 0 ? Outcome.UnknownKey : Outcome.KeyEnded);
        uint256 claimedWei = _lesser(cumulativeWei, capWei);
        if (claimedWei <= redeemedWei) return (0, cumulativeWei > capWei ? Outcome.AtCap : Outcome.NothingNew);
        unchecked {
            return (claimedWei - redeemedWei, Outcome.Paid);
        }
    }

    function _lesser(uint256 left, uint256 right) private pure returns (uint256) {
        return left < right ? left : right;
    }

    /// Whose signature over the voucher it is (EIP-712, ERC-2098): zero for a broken one, and for one with the larger of the two values of
    /// s, so that a voucher has one signature only. OpenZeppelin's ECDSA and MessageHashUtils would cost 170 gas more per voucher, and the
    /// first payment of a stream has 20 to spare.
    function _signerOf(bytes32 separator, address payer, address payee, uint256 cumulativeWei, bytes32 r, bytes32 vs)
        private
        view
        returns (address signer)
    {
        bytes32 typeHash = EscrowTypes.VOUCHER;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mstore(add(free, 0x20), payer)
            mstore(add(free, 0x40), payee)
            mstore(add(free, 0x60), cumulativeWei)
            let structHash := keccak256(free, 0x80)
            mstore(free, hex"1901")
            mstore(add(free, 0x02), separator)
            mstore(add(free, 0x22), structHash)
            mstore(free, keccak256(free, 0x42))
            mstore(add(free, 0x20), add(shr(255, vs), 27))
            mstore(add(free, 0x40), r)
            let s := shr(1, shl(1, vs))
            mstore(add(free, 0x60), s)
            // The precompile at 1 answers nothing to what is no signature.
            mstore(0x00, 0)
            pop(staticcall(gas(), 1, free, 0x80, 0x00, 0x20))
            signer := mul(mload(0x00), lt(s, S_LIMIT))
        }
    }

    function _load(AccountRecord storage a) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(a.slot)
        }
    }

    function _load(KeyRecord storage k) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(k.slot)
        }
    }

    function _store(AccountRecord storage a, uint256 word) private {
        assembly ("memory-safe") {
            sstore(a.slot, word)
        }
    }

    function _store(KeyRecord storage k, uint256 word) private {
        assembly ("memory-safe") {
            sstore(k.slot, word)
        }
    }

    /// Takes the whole bond, burns two thirds, and gives the payee that is short what restitution there is.
    function _answerOverdraft(address payer, address payee, address key, uint96 shortWei) private returns (uint96 restoredWei) {
        AccountRecord storage a = _accounts[payer];
        _lapseRestitution(payer, a);
        a.overdrafts += 1;
        uint96 takenWei = a.bondWei;
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
        emit Overdrawn(payer, payee, key, shortWei, restoredWei, takenWei);
    }

    // ---- views ----

    /// @inheritdoc IBandwidthEscrow
    function keyOf(address payer, address key) external view returns (SessionKey memory) {
        KeyRecord storage k = _accounts[payer].keys[key];
        return SessionKey(k.capPerPayeeWei, k.budgetLeftWei, k.expiry, k.expiry == 0 ? 0 : k.expiry + delaySeconds);
    }

    /// @inheritdoc IBandwidthEscrow
    function redeemedOf(address payer, address payee, address key) external view returns (uint96) {
        return uint96(_accounts[payer].keys[key].streams[payee].word);
    }

    /// @inheritdoc IBandwidthEscrow
    function promiseOf(address payer, address payee, address key) external view returns (Promise memory p) {
        AccountRecord storage a = _accounts[payer];
        KeyRecord storage k = _accounts[payer].keys[key];
        p.redeemedWei = uint96(_accounts[payer].keys[key].streams[payee].word);
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
