// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Deals, slots, escrow and settlement
/// @notice A deal is an owner's agreement with n distinct providers for n slots of one coded object. Everything a provider agrees
/// to stands in its EIP-712 offer; the owner accepts n offers in one transaction, which takes the whole escrow
/// (Σ pay x periods, exactly).
///
///     deal   None -> Active -> {Completed | Terminated | Failed}
///     slot   None -> Filled <-> Challenged
///            Filled -> Filled (handed over) | Vacant | Closed      Challenged -> Vacant
///            Vacant <-> Reserved      {Vacant | Reserved} -> Filled | Closed
///
/// Deal period range: pay runs over [start, end); start is the period of the opening transaction.
///
/// A *tenure* is one provider's time on a slot, [from, until). It ends with the deal, with the provider's eviction, by a loss (pays
/// through the period before) or by handing the slot over (pays through the present one). A tenure that ended before its last
/// periods were final is kept apart as a *past tenure*, settled by `settleTenure`, so that the slot can go on at once.
///
/// Money effects: None -> Filled takes pay x periods from the payer and locks collateral; settling pays proven periods to the provider
/// (less the fee) and gives the others back to the payer; -> Vacant stops pay, and by a loss takes a part of the slot's
/// collateral; Vacant and Reserved periods go back to the payer; -> Closed frees the collateral; Terminated and Failed give the
/// escrow behind the present period back.
/// @dev Money: this contract holds escrow, credits, the repair fund and owners' unclaimed parts of slashes. Invariants:
/// M1 token balance >= Σ remaining escrow + Σ credits + repair fund + unclaimed parts of slashes;
/// M2 remaining escrow is pay x (end - settledTo) of a slot that is not Closed, and pay x (until - settledTo) of a past tenure;
/// M3 for every final period of a tenure exactly one of provider (proven) and payer (not) gets the pay;
/// M4 a period is paid to at most one provider; M5 provider's pay + protocol fee = pay;
/// M6 providers of a deal are distinct; M7 a dealId is never reused;
/// M8 a slot's commitment never changes; M9 open slots of a deal are those not Closed, vacant ones those Vacant or Reserved;
/// M10 no sum leaves the repair fund but premiums, each at most `premiumBps` of a slot's collateral, and the committee's rewards, at most
/// `REWARD_BPS` of the fund in a period;
/// M11 deals and M12 slots take only the edges above, Closed is final; M13 settled periods never fall within a tenure;
/// M14 a deal's end moves only by renewal, up to `renewUntil`, or to the next period when the deal is stopped;
/// M15 nothing is settled before it is final; M16 a credit falls only when its account withdraws all of it;
/// M17 a lost slot costs its share of what collateral is left, and the parts sum to that; M18 owners' parts go to the deals' owners;
/// M19 an active deal has open slots, a completed one none; M20 a deal fails exactly when more than n - k of its slots are vacant;
/// M21 a slot is Closed only once its deal has ended, with no escrow left in it.
interface IStorageMarket {
    enum DealStatus {
        None,
        Active,
        Completed,
        Terminated,
        Failed
    }

    enum SlotStatus {
        None,
        Filled,
        Vacant,
        Closed,
        Challenged,
        Reserved
    }

    /// @notice One provider's offer as passed by the owner; the rest of what it signed is in `DealTerms`.
    struct SlotOffer {
        uint32 providerId;
        uint32 operatorEpoch;
        bytes32 root;
        /// Leaves of 64 bytes; the same for all slots of a deal.
        uint64 leafCount;
        /// A positive multiple of 1 gwei.
        uint256 payPerPeriodWei;
        /// A positive multiple of 1 gwei.
        uint256 collateralWei;
        /// Unix seconds after which the offer is worthless.
        uint64 expiry;
        /// Signature by the operator of that epoch, compact (EIP-2098): r, and s with the parity of y as its highest bit.
        bytes32 r;
        bytes32 vs;
    }

    struct DealTerms {
        address owner;
        address payer;
        bytes32 dealSalt;
        /// Data cells per segment; n is the number of offers.
        uint8 k;
        /// The public deal header (docs/protocol/headers.md); offers sign its keccak256.
        bytes16 header;
        /// Last period in which the deal may be opened.
        uint32 startBy;
        /// Periods that the deal pays.
        uint32 periods;
        /// Last end up to which the deal may be renewed at the same price; 0 for never.
        uint32 renewUntil;
        SlotOffer[] offers;
    }

    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    struct Deal {
        address owner;
        address payer;
        uint32 start;
        uint32 end;
        uint8 k;
        uint8 n;
        DealStatus status;
        /// Slots not yet Closed, and those of them that nobody holds.
        uint8 openSlots;
        uint8 vacantSlots;
        uint32 renewUntil;
        bytes16 header;
    }

    struct Slot {
        bytes32 root;
        /// The holder; of a slot that nobody holds, the last one; 0 of one that nobody held to the deal's end.
        uint32 providerId;
        uint64 startGwei;
        uint64 payGwei;
        uint64 collateralGwei;
        uint64 leafCount;
        /// First period of the present tenure; of a slot that nobody holds, the period since which.
        uint32 fromPeriod;
        /// Periods before this one are settled.
        uint32 settledTo;
        /// Period from which the slot is no longer live: min(deal end, eviction); a hole from then on.
        uint32 liveUntil;
        /// As of now, eviction considered.
        SlotStatus status;
    }

    /// @notice A tenure that ended before the deal, not yet settled; all zeros for none.
    struct PastTenure {
        uint64 startGwei;
        uint64 payGwei;
        uint64 collateralGwei;
        uint32 fromPeriod;
        uint32 settledTo;
        uint32 untilPeriod;
        bool isSettled;
    }

    /// @notice What the refiller agreed on with the new provider beyond its offer.
    struct RefillTerms {
        bytes32 dealSalt;
        /// The offer is signed with these in place of the deal's: startBy >= next period, startBy + periods = the deal's end, so
        /// that no offer of the opening serves once more.
        uint32 startBy;
        uint32 periods;
    }

    event DealOpened(
        bytes32 indexed dealId,
        address indexed owner,
        address payer,
        bytes32 dealSalt,
        uint32 start,
        uint32 end,
        uint8 k,
        uint8 n,
        bytes16 header,
        uint256 escrowWei
    );
    event SlotFilled(
        bytes32 indexed dealId,
        uint8 indexed slotIndex,
        uint32 indexed providerId,
        bytes32 root,
        uint64 payGwei,
        uint64 collateralGwei,
        uint64 startGwei,
        uint32 fromPeriod
    );
    /// Also credits `paidWei` to the provider's owner, `refundWei` to the payer, and adds `feeWei` to the repair fund. At `toPeriod` =
    /// the deal's end the slot is Closed, unless a challenge is open.
    event SlotSettled(
        bytes32 indexed dealId,
        uint8 indexed slotIndex,
        uint32 indexed providerId,
        uint32 fromPeriod,
        uint32 toPeriod,
        uint256 provenPeriods,
        uint256 paidWei,
        uint256 feeWei,
        uint256 refundWei
    );
    event SlotVacated(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed providerId, uint32 period);
    /// A loss: `slashedWei` of the slot's collateral = `fundWei` to the repair fund + `finderWei` to the finder + `ownerWei` to the owner.
    event SlotForfeited(
        bytes32 indexed dealId,
        uint8 indexed slotIndex,
        uint32 indexed providerId,
        uint16 bps,
        uint256 slashedWei,
        uint256 fundWei,
        uint256 finderWei,
        uint256 ownerWei
    );
    event SlotHandedOver(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed fromProviderId, uint32 toProviderId);
    event SlotStatusChanged(bytes32 indexed dealId, uint8 indexed slotIndex, SlotStatus from, SlotStatus to);
    event OwnerCompensated(bytes32 indexed dealId, uint8 indexed slotIndex, address owner, uint256 amountWei);
    event DealStatusChanged(bytes32 indexed dealId, DealStatus from, DealStatus to);
    event DealRenewed(bytes32 indexed dealId, uint32 oldEnd, uint32 newEnd, uint256 escrowWei);
    /// Any credit but those that `SlotSettled` tells.
    event Credited(address indexed account, uint256 amountWei);
    event Withdrawn(address indexed account, address to, uint256 amountWei);
    /// Any change of the repair fund but the fees that `SlotSettled` tells.
    event RepairFundIncreased(uint256 amountWei);
    event RepairFundSpent(address indexed to, uint256 amountWei);

    error NotAuthorized(address caller);
    error InvalidTerms(string reason);
    error TooManySlots(uint256 count, uint256 max);
    error DealExists(bytes32 dealId);
    error WrongDealStatus(bytes32 dealId, DealStatus actual, DealStatus expected);
    error WrongSlotStatus(bytes32 dealId, uint8 slotIndex, SlotStatus actual, SlotStatus expected);
    error TooLate(uint32 current, uint32 startBy);
    error OfferExpired(uint8 slotIndex, uint64 expiry);
    /// @notice An offer gives a slot once.
    error OfferUsed(uint8 slotIndex, uint32 providerId);
    error InvalidOfferSignature(uint8 slotIndex, uint32 providerId, address recovered);
    error DuplicateProvider(uint8 slotIndex, uint32 providerId);
    error ProviderIsEvicted(uint32 providerId);
    error UnknownProvider(uint32 providerId);
    error InvalidOwnerSignature(address recovered, address owner);
    error AuthorizationExpired(uint64 deadline);
    error WrongCommitment(bytes32 root, bytes32 expectedRoot);
    error WrongPay(uint256 payWei, uint256 expectedWei);
    error CollateralTooSmall(uint256 collateralWei, uint256 minWei);
    error HeldBefore(bytes32 dealId, uint8 slotIndex, uint32 providerId);
    error NoSuchTenure(bytes32 dealId, uint8 slotIndex, uint32 providerId);
    error NothingToWithdraw(address account);
    error UnsupportedToken(uint256 received, uint256 expected);

    // ---- opening and renewing ----

    /// @notice Opens one or many deals, 64 at most with 256 slots in all; the caller is owner and payer of each. Needs an allowance of
    /// the escrow.
    function openDeals(DealTerms[] calldata deals) external returns (bytes32[] memory dealIds);

    /// @notice `openDeals` after an EIP-2612 permit (a permit that somebody used up before is no error).
    function openDealsWithPermit(DealTerms[] calldata deals, Permit calldata permit) external returns (bytes32[] memory dealIds);

    /// @notice Opens a deal whose owner is not the caller: the caller pays, the owner signed
    /// OpenDeal(address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,uint64 deadline)
    /// with rootsHash = keccak256 of the n roots, packed.
    function openDealWithSig(DealTerms calldata deal, uint256 maxEscrowWei, uint64 deadline, bytes calldata ownerSignature)
        external
        returns (bytes32 dealId);

    /// @notice Moves the end of an active deal to `newEnd`, at most its `renewUntil`, at the same pay, before it has ended. Payer only;
    /// takes the escrow of all open slots for the added periods.
    function renew(bytes32 dealId, uint32 newEnd) external returns (uint256 escrowWei);

    /// @notice `renew` after an EIP-2612 permit.
    function renewWithPermit(bytes32 dealId, uint32 newEnd, Permit calldata permit) external returns (uint256 escrowWei);

    /// @notice `renew` out of the payer's tokens (allowance, or the permit if its value is not 0) with the payer's signature over
    /// RenewDeal(bytes32 dealId,uint32 newEnd,uint64 deadline). Single use because the end only grows.
    function renewWithSig(bytes32 dealId, uint32 newEnd, uint64 deadline, bytes calldata payerSignature, Permit calldata permit)
        external
        returns (uint256 escrowWei);

    // ---- settling ----

    /// @notice Pays final periods of slots: proven ones to the provider's owner (less the fee), the others back to the payer. Anyone.
    /// Slots of evicted providers become Vacant, slots past the deal's end Closed; the last one completes the deal.
    function settle(bytes32 dealId, uint8[] calldata slotIndices) external;

    /// @notice The same for a past tenure; its collateral is free once all of it is settled. Anyone.
    function settleTenure(bytes32 dealId, uint8 slotIndex, uint32 providerId) external;

    // ---- leaving a slot, and filling it again ----

    /// @notice Gives a slot up whose bytes are lost: costs `declaredLossBps` of its collateral, or `caughtLossBps` while a challenge is
    /// open. Pays through the period before. Owner or operator of the provider.
    function declareLost(bytes32 dealId, uint8 slotIndex) external;

    /// @notice Hands a slot over to another provider, which holds it and signed the same terms with at least the same collateral: no
    /// penalty, pays through the present period; the new tenure pays from the next one. Owner or operator of the holder. Not while a
    /// challenge is open.
    function handOver(bytes32 dealId, uint8 slotIndex, SlotOffer calldata offer, RefillTerms calldata terms) external;

    /// @notice Puts another provider on a slot that nobody holds, with the same commitment and pay; the new tenure pays from the next
    /// period. The deal's owner only, also over a reservation: it knows the bytes, and whether less collateral will do. Others go
    /// through `ISlotRepair`, with at least the collateral of the holder before.
    function refill(bytes32 dealId, uint8 slotIndex, SlotOffer calldata offer, RefillTerms calldata terms) external;

    /// @notice `refill` with the owner's signature over
    /// RefillSlot(bytes32 dealId,uint8 slotIndex,uint32 vacantFrom,uint32 providerId,uint256 collateralWei,uint64 deadline), where
    /// `vacantFrom` is the vacant slot's `fromPeriod`, once it is settled (single use, because a later vacancy begins later), and
    /// `collateralWei` the offer's.
    function refillWithSig(
        bytes32 dealId,
        uint8 slotIndex,
        SlotOffer calldata offer,
        RefillTerms calldata terms,
        uint64 deadline,
        bytes calldata ownerSignature
    ) external;

    // ---- ending ----

    /// @notice Ends a deal early, orderly: the present period is still paid, what is after it goes back to the payer. Owner only.
    function terminate(bytes32 dealId) external;

    /// @notice `terminate` with the owner's signature over TerminateDeal(bytes32 dealId,uint64 deadline).
    function terminateWithSig(bytes32 dealId, uint64 deadline, bytes calldata ownerSignature) external;

    // ---- money out ----

    /// @notice Pays out the caller's credits.
    function withdraw(address to) external returns (uint256 amountWei);

    /// @notice `withdraw` with the account's signature over Withdraw(address account,address to,uint256 nonce,uint64 deadline).
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature) external returns (uint256 amountWei);

    /// @notice Adds to the repair fund out of the caller's tokens.
    function donate(uint256 amountWei) external;

    // ---- for the other contracts ----

    /// @notice Books the parts of a slash whose tokens the registry has just sent here. Proofs only.
    function bookSlash(address finder, uint256 finderWei, uint256 fundWei, uint256 ownersWei) external;

    /// @notice Moves a slot's interval, of the holder or of a past one, on its provider's line. Proofs only.
    function moveInterval(bytes32 dealId, uint8 slotIndex, uint32 providerId, uint64 startGwei) external;

    /// @notice A slot that its provider named lost when it was drawn for `period`: not paid from then on. Proofs only.
    function forfeitSampled(bytes32 dealId, uint8 slotIndex, uint32 providerId, uint32 period) external;

    /// @notice Filled -> Challenged. Challenges only. @return providerId the holder @return owner the deal's
    function startChallenge(bytes32 dealId, uint8 slotIndex) external returns (uint32 providerId, address owner);

    /// @notice Challenged -> Filled, or with `finder` other than the zero address Challenged -> Vacant and all of the slot's collateral
    /// gone. Nothing happens when the slot is no longer challenged. Challenges only.
    function endChallenge(bytes32 dealId, uint8 slotIndex, address finder) external;

    /// @notice Vacant -> Reserved, for a deal that still pays. Repair only. @return collateralGwei of the tenure before
    function reserve(bytes32 dealId, uint8 slotIndex) external returns (uint64 collateralGwei);

    /// @notice Reserved -> Vacant; nothing happens in any other state. Repair only.
    function unreserve(bytes32 dealId, uint8 slotIndex) external;

    /// @notice Reserved -> Filled, and the premium to `repairer`. Repair only, which has seen proofs of the bytes.
    function refillReserved(
        bytes32 dealId,
        uint8 slotIndex,
        SlotOffer calldata offer,
        RefillTerms calldata terms,
        address repairer
    ) external returns (uint256 premiumWei);

    /// @notice Transfers a reward out of the repair fund to `to`, at most what the period still allows; returns what it was. Committee only.
    function payFromRepairFund(address to, uint256 amountWei) external returns (uint256 paidWei);

    // ---- views ----

    /// @notice keccak256(abi.encode(chainId, this contract, owner, dealSalt)).
    function dealIdOf(address owner, bytes32 dealSalt) external view returns (bytes32);
    function deal(bytes32 dealId) external view returns (Deal memory);
    function slot(bytes32 dealId, uint8 slotIndex) external view returns (Slot memory);
    /// @notice All slots of a deal, in order.
    function slots(bytes32 dealId) external view returns (Slot[] memory);
    function pastTenure(bytes32 dealId, uint8 slotIndex, uint32 providerId) external view returns (PastTenure memory);
    /// @notice What a proof needs of a slot that `providerId` holds or held; `payGwei` is 0 when it never did. Evictions are not
    /// considered in `untilPeriod`.
    function slotForProof(bytes32 dealId, uint8 slotIndex, uint32 providerId)
        external
        view
        returns (bytes32 root, uint64 startGwei, uint64 payGwei, uint64 leafCount, uint32 fromPeriod, uint32 untilPeriod);
    /// @notice EIP-712 digest that a provider's operator signs, of
    /// Offer(uint32 providerId,uint32 operatorEpoch,address owner,address payer,bytes32 dealSalt,uint8 slotIndex,uint8 k,uint8 n,
    /// bytes32 headerHash,bytes32 root,uint64 leafCount,uint256 payPerPeriodWei,uint256 collateralWei,uint32 startBy,uint32 periods,
    /// uint32 renewUntil,uint64 expiry); domain name "PPIO StorageMarket", version "1", chain id, this contract.
    function offerDigest(DealTerms calldata terms, uint8 slotIndex) external view returns (bytes32);
    function creditOf(address account) external view returns (uint256);
    function nonceOf(address account) external view returns (uint256);
    function repairFundWei() external view returns (uint256);
    /// @notice Owners' parts of slashes, not yet booked to them.
    function unclaimedWei() external view returns (uint256);
    function token() external view returns (address);
    function domainSeparator() external view returns (bytes32);
}
