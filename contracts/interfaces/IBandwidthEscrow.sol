// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Payers' reserves, and vouchers that draw on them
/// @notice Bandwidth is paid by vouchers: EIP-712 messages of a payer's session key that say how much a payee has earned in all so far.
/// They cost nothing to make; only the last one of a stream needs to reach the chain, and many go in one transaction.
///
///     deposit -> reserve (pays vouchers) and bond (answers for overdrafts)
///     authorizeKey -> key signs Voucher(payer, payee, cumulative) ... -> payee redeems the last one -> credit -> withdraw
///
///     key         None -> Live -> Ended         Ended after its expiry, or when revoked; paid for `delaySeconds` more; never returns
///     withdrawal  None -> Waiting -> Ripe -> None   Waiting for `delaySeconds`, Ripe for as long again; asking again starts anew
///
/// **Overdraft.** A payer's keys may sign vouchers to many payees who do not see each other's. A payer promises that what they have signed
/// never exceeds what it can pay. A good voucher that finds less than it is owed is the proof that the promise is broken; no other proof
/// exists or is needed. The payee gets what there is; the payer's **whole bond** is taken: two thirds are burnt, one third becomes
/// restitution for payees who are short, first come first served, for `delaySeconds`; what is left of it is burnt too. Nobody can tell a
/// harmed payee from a friend of the payer, so whoever overdraws on purpose and claims the restitution itself still burns two wei for each
/// one that it rescues. What stays unpaid of a voucher can be redeemed when the payer deposits again, while the key lasts.
///
/// **Why an honest payer is safe.** Its reserve falls only by its own keys' vouchers and by its own withdrawals, so vouchers in hand that
/// it could pay when it signed them can be paid in any order, batch and moment. One that withdraws leaves what its live keys have signed,
/// or takes the bond in the same withdrawal, or lets its keys end first.
///
/// **What a payee checks** before it works for a voucher: `promiseOf`, its own open amount, and that the bond is large enough for the credit
/// that it gives (docs/protocol/vouchers.md). It redeems at least once in `delaySeconds`.
/// @dev Redemption calls nobody: what is earned becomes credit, which its payee draws out itself. So a token that reverts, reenters or blocks
/// an account can neither stop a batch nor hide an overdraft, and a batch writes one balance instead of making a transfer.
/// Amounts are wei of the token, below 2^96. Smart accounts may be payers and payees (ERC-1271); session keys are plain keys, so that a
/// voucher's check is bounded in gas and calls nobody.
///
/// The token must move exact amounts (checked on the way in) and must not change balances by itself.
///
/// Invariants:
/// E1 token balance = Σ reserves + Σ bonds + Σ restitution + Σ credits + burnable (more only if somebody sends tokens unasked);
/// E2 a stream's redeemed amount never falls, and is never above its highest voucher nor its key's cap per payee;
/// E3 what a key's vouchers took from the reserve + what is left of its budget = its budget;
/// E4 a reserve falls by exactly what its payees are credited beyond restitution, or by its own ripe withdrawal;
/// E5 a bond falls by its own ripe withdrawal, or to zero by a proof of overdraft; a payer whose open vouchers were at every moment within
/// its reserve and its keys' budgets never loses any of it;
/// E6 of a bond taken, burnt + restitution = bond, restitution <= a third; each wei of restitution is paid to a payee that is short, or burnt;
/// E7 nothing is withdrawn sooner than `delaySeconds` after the request that names it, nor more than named;
/// E8 after `delaySeconds` from its end no voucher of a key pays; a key never returns and its terms never change, save that it ends;
/// E9 a signature acts once, for this contract on this chain, for the account that signed it;
/// E10 a batch does exactly what its vouchers would do one by one: a bad voucher changes nothing and stops no other;
/// E11 credit is its payee's alone, at once and for ever; burnable leaves only to `BURN_ADDRESS`.
interface IBandwidthEscrow {
    /// @notice What became of one voucher.
    /// Paid: in full. NothingNew: not above what the stream has been paid already. AtCap: above the key's cap per payee, and paid up to it
    /// before. Overdrawn: paid in part or not at all; the bond has answered. UnknownKey: signed by no key of the payer (or broken).
    /// KeyEnded: the key's time to redeem is over.
    enum Outcome {
        Paid,
        NothingNew,
        AtCap,
        Overdrawn,
        UnknownKey,
        KeyEnded
    }

    /// @notice Voucher(address payer,address payee,uint96 cumulativeWei) as passed in; the payee is the call's.
    struct Voucher {
        /// Payer in the upper 160 bits; in the lower 96 all that the payee has earned under this key so far, paid parts included.
        uint256 claim;
        /// ERC-2098 signature of the session key: r, and s with the parity of y in its top bit.
        bytes32 r;
        bytes32 vs;
    }

    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    struct Account {
        uint96 reserveWei;
        uint96 bondWei;
        /// Redemptions that found too little, ever.
        uint32 overdrafts;
        /// Third of a bond that was taken, for payees who are short, and the last second in which they get it.
        uint96 restitutionWei;
        uint40 restitutionUntil;
        /// The withdrawal asked for: the most that it takes, and when it is ripe (Unix seconds); zeros when there is none.
        uint96 requestedReserveWei;
        uint96 requestedBondWei;
        uint40 ripeAt;
    }

    struct SessionKey {
        /// The most that one payee can be paid under this key; 0 when the key was never authorised.
        uint96 capPerPayeeWei;
        /// What is left for all payees together; `NO_BUDGET` when only the reserve bounds it.
        uint96 budgetLeftWei;
        /// Payees stop working for the key's vouchers then (Unix seconds).
        uint40 expiry;
        /// Last second in which its vouchers are paid: expiry + delay.
        uint40 redeemableUntil;
    }

    /// @notice What a payee may count on, as of now.
    struct Promise {
        /// For all payees of the key together: reserve that no withdrawal has asked for, within the key's budget.
        uint96 payableWei;
        /// For this payee: cap less redeemed; 0 when the key is not Live.
        uint96 capLeftWei;
        /// What the stream has been paid.
        uint96 redeemedWei;
        /// Bond that no withdrawal has asked for.
        uint96 bondWei;
        uint40 serveUntil;
    }

    event Deposited(address indexed payer, address from, uint96 reserveWei, uint96 bondWei);
    event KeyAuthorized(address indexed payer, address indexed key, uint96 capPerPayeeWei, uint96 budgetWei, uint40 expiry);
    event KeyRevoked(address indexed payer, address indexed key, uint40 redeemableUntil);
    /// @notice `payments` has 32 bytes per voucher, in the order of the batch: its payer (20 bytes) and the wei paid (12).
    event VouchersRedeemed(address indexed payee, uint256 creditedWei, bytes payments);
    /// @notice A voucher that was not paid in full, and why.
    event VoucherRefused(address indexed payee, address indexed payer, address key, uint96 cumulativeWei, Outcome outcome);
    /// @notice `shortWei` is what the reserve could not pay, `restoredWei` what restitution gave of it, `bondTakenWei` what the payer lost now.
    event Overdrawn(
        address indexed payer, address indexed payee, address indexed key, uint96 shortWei, uint96 restoredWei, uint96 bondTakenWei
    );
    event WithdrawalRequested(address indexed payer, uint96 reserveWei, uint96 bondWei, uint40 ripeAt);
    event WithdrawalCancelled(address indexed payer);
    event WithdrawalCompleted(address indexed payer, address to, uint96 reserveWei, uint96 bondWei);
    event Withdrawn(address indexed account, address to, uint256 amountWei);
    event RestitutionLapsed(address indexed payer, uint96 amountWei);
    event Burnt(uint256 amountWei);

    error InvalidAddress(string parameter);
    error InvalidDelay(uint256 delaySeconds, uint256 minSeconds, uint256 maxSeconds);
    error ZeroAmount();
    error AmountTooLarge(uint256 amountWei, uint256 maxWei);
    error UnsupportedToken(uint256 received, uint256 expected);
    error KeyExists(address payer, address key);
    error KeyNotLive(address payer, address key, uint40 expiry);
    error InvalidExpiry(uint40 expiry, uint256 earliest, uint256 latest);
    error InvalidBatchLength(uint256 length, uint256 max);
    error NoWithdrawal(address payer);
    error WithdrawalNotRipe(uint40 ripeAt, uint256 timestamp);
    error WithdrawalLapsed(uint40 lapsedAt, uint256 timestamp);
    error RequestTooLarge(uint96 requestedWei, uint96 presentWei);
    error NothingToWithdraw(address account);
    error NothingToBurn();
    error AuthorizationExpired(uint64 deadline);
    error InvalidSignature(address recovered, address signer);

    // ---- money in ----

    /// @notice Adds to a payer's reserve and bond from the caller's tokens; anyone may, for anyone. Needs an allowance of the sum.
    function deposit(address payer, uint96 reserveWei, uint96 bondWei) external;

    /// @notice `deposit` after an EIP-2612 permit of the caller (a permit that somebody used up before is no error).
    function depositWithPermit(address payer, uint96 reserveWei, uint96 bondWei, Permit calldata permit) external;

    /// @notice `deposit` of another account's tokens, with its signature over
    /// Deposit(address from,address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline). The permit is `from`'s; leave its
    /// signature empty (s = 0) where an allowance stands already.
    function depositWithSig(
        address from,
        address payer,
        uint96 reserveWei,
        uint96 bondWei,
        uint64 deadline,
        bytes calldata signature,
        Permit calldata permit
    ) external;

    // ---- session keys ----

    /// @notice None -> Live: lets `key` sign vouchers on the caller's reserve. Terms are final: for more, authorise another key.
    /// @param capPerPayeeWei The most that one payee gets under this key; a payee can check it alone. Positive.
    /// @param budgetWei The most that all payees together get, for a key that may be lost or that somebody else holds; `NO_BUDGET` leaves
    /// that bound to the reserve and makes redemption cheaper (no word of the key is written). Positive.
    /// @param expiry Unix seconds, after now and at most `KEY_SECONDS_MAX` ahead.
    function authorizeKey(address key, uint96 capPerPayeeWei, uint96 budgetWei, uint40 expiry) external;

    /// @notice `authorizeKey` with the payer's signature over AuthorizeKey(address payer,address key,uint96 capPerPayeeWei,uint96 budgetWei,
    /// uint40 expiry,uint256 nonce,uint64 deadline).
    function authorizeKeyWithSig(
        address payer,
        address key,
        uint96 capPerPayeeWei,
        uint96 budgetWei,
        uint40 expiry,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Live -> Ended, now: payees stop working for the key; vouchers in hand are paid for `delaySeconds` more.
    function revokeKey(address key) external;

    /// @notice `revokeKey` with the payer's signature over RevokeKey(address payer,address key,uint256 nonce,uint64 deadline).
    function revokeKeyWithSig(address payer, address key, uint64 deadline, bytes calldata signature) external;

    // ---- vouchers ----

    /// @notice Redeems one voucher to its payee's credit. Anyone may send it. Never reverts for what is wrong with the voucher.
    function redeem(address payee, Voucher calldata voucher) external returns (uint256 creditedWei, Outcome outcome);

    /// @notice Redeems 1 to `VOUCHERS_PER_CALL_MAX` vouchers of one payee, in order; bad ones are reported and skipped.
    /// @return creditedWei The sum credited. @return outcomes One byte per voucher, an `Outcome`; call it without sending to see what a batch would do.
    function redeemBatch(address payee, Voucher[] calldata vouchers) external returns (uint256 creditedWei, bytes memory outcomes);

    /// @notice Pays out the caller's credit: all of it, at once.
    function withdraw(address to) external returns (uint256 amountWei);

    /// @notice `withdraw` with the account's signature over Withdraw(address account,address to,uint256 nonce,uint64 deadline).
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature) external returns (uint256 amountWei);

    // ---- money out ----

    /// @notice Asks for parts of the caller's reserve and bond, at most what is there. They go on paying vouchers and answering for
    /// overdrafts until taken. A request in the place of another starts the delay anew, for both.
    function requestWithdrawal(uint96 reserveWei, uint96 bondWei) external;

    /// @notice `requestWithdrawal` with the payer's signature over
    /// RequestWithdrawal(address payer,uint96 reserveWei,uint96 bondWei,uint256 nonce,uint64 deadline).
    function requestWithdrawalWithSig(address payer, uint96 reserveWei, uint96 bondWei, uint64 deadline, bytes calldata signature)
        external;

    /// @notice Takes the request back, so that payees may count on the money again.
    function cancelWithdrawal() external;

    /// @notice `cancelWithdrawal` with the payer's signature over CancelWithdrawal(address payer,uint256 nonce,uint64 deadline).
    function cancelWithdrawalWithSig(address payer, uint64 deadline, bytes calldata signature) external;

    /// @notice Pays out what a ripe request named, as far as it is still there. Ripe from `ripeAt` for `delaySeconds`; later it has lapsed and
    /// must be asked for again, so that no payer works on with a withdrawal that it can make at any moment.
    function completeWithdrawal(address to) external returns (uint96 reserveWei, uint96 bondWei);

    /// @notice `completeWithdrawal` with the payer's signature over
    /// CompleteWithdrawal(address payer,address to,uint256 nonce,uint64 deadline).
    function completeWithdrawalWithSig(address payer, address to, uint64 deadline, bytes calldata signature)
        external
        returns (uint96 reserveWei, uint96 bondWei);

    /// @notice Sends what is to be burnt to `BURN_ADDRESS`, the payer's restitution included if its time is over. Anyone.
    function burn(address payer) external returns (uint256 amountWei);

    // ---- views ----

    function accountOf(address payer) external view returns (Account memory);
    function keyOf(address payer, address key) external view returns (SessionKey memory);
    function redeemedOf(address payer, address payee, address key) external view returns (uint96);
    function promiseOf(address payer, address payee, address key) external view returns (Promise memory);
    function creditOf(address account) external view returns (uint256);
    /// @notice The nonce that the account's next signature must carry.
    function nonceOf(address account) external view returns (uint256);
    function burnableWei() external view returns (uint256);
    /// @notice EIP-712 digest that a session key signs; domain name "PPIO BandwidthEscrow", version "1", chain id, this contract.
    function voucherDigest(address payer, address payee, uint96 cumulativeWei) external view returns (bytes32);
    /// @notice Of `redeemBatch`. 200 of the dearest vouchers stay below the 2^24 gas that EIP-7825 allows a transaction.
    function VOUCHERS_PER_CALL_MAX() external view returns (uint256);
    /// @notice The longest life of a key: a forgotten one ends by itself.
    function KEY_SECONDS_MAX() external view returns (uint256);
    /// @notice The budget that is none.
    function NO_BUDGET() external view returns (uint96);
    /// @notice Where burnt money goes: no key is known for it.
    function BURN_ADDRESS() external view returns (address);
    function token() external view returns (address);
    /// @notice Of withdrawals, of keys that end, of restitution.
    function delaySeconds() external view returns (uint40);
    function domainSeparator() external view returns (bytes32);
}
