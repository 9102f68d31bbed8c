// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Deals, slots, escrow and settlement
/// @notice A deal is an owner's agreement with n distinct providers for n slots of one coded object. Everything a provider agrees
/// to stands in its EIP-712 offer; the owner accepts n offers in one transaction, which takes the whole escrow
/// (Σ pay x periods, exactly).
///
///     deal   None -> Active -> {Completed | Terminated | Failed}
///     slot   Filled -> {Vacant -> Filled} | Closed
///
/// Deal period range: pay runs over [start, end); start is the period of the opening transaction.
/// @dev Money: this contract holds escrow, credits, the repair fund and owners' unclaimed parts of slashes. Invariants:
/// M1 token balance >= Σ remaining escrow + Σ credits + repair fund + unclaimed parts of slashes;
/// M2 a slot's remaining escrow = pay x (end - settledTo) while it is Filled or Vacant;
/// M3 for every final period of a tenure exactly one of provider (proven) and payer (not) gets the pay;
/// M4 a period is paid to at most one provider; M5 provider's pay + protocol fee = pay;
/// M6 providers of a deal are distinct; M7 a dealId is never reused.
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
        Closed
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
        /// A multiple of 1 gwei.
        uint256 collateralWei;
        /// Unix seconds after which the offer is worthless.
        uint64 expiry;
        /// 65 bytes (r, s, v) by the operator of that epoch.
        bytes signature;
    }

    struct DealTerms {
        address owner;
        address payer;
        bytes32 dealSalt;
        /// Data cells per segment; n is the number of offers.
        uint8 k;
        /// The public deal header (docs/protocol/headers.md); offers sign its keccak256.
        bytes header;
        /// Last period in which the deal may be opened.
        uint32 startBy;
        /// Periods that the deal pays.
        uint32 periods;
        /// Last period up to which the same price may be renewed; 0 for never.
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
        /// Slots not yet Closed.
        uint8 openSlots;
        uint32 renewUntil;
        bytes32 headerHash;
    }

    struct Slot {
        bytes32 root;
        uint32 providerId;
        uint64 startGwei;
        uint64 payGwei;
        uint64 collateralGwei;
        uint64 leafCount;
        /// First period of the present tenure.
        uint32 fromPeriod;
        /// Periods before this one are settled.
        uint32 settledTo;
        /// Period from which the slot is no longer live: min(deal end, eviction); a hole from then on.
        uint32 liveUntil;
        /// As of now, eviction considered.
        SlotStatus status;
    }

    event DealOpened(
        bytes32 indexed dealId,
        address indexed owner,
        address payer,
        uint32 start,
        uint32 end,
        uint8 k,
        uint8 n,
        bytes header,
        uint256 escrowWei
    );
    event SlotFilled(
        bytes32 indexed dealId,
        uint8 indexed slotIndex,
        uint32 indexed providerId,
        bytes32 root,
        uint64 leafCount,
        uint64 payGwei,
        uint64 collateralGwei,
        uint64 startGwei,
        uint32 fromPeriod
    );
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
    event SlotClosed(bytes32 indexed dealId, uint8 indexed slotIndex, uint32 indexed providerId, uint32 period);
    event OwnerCompensated(bytes32 indexed dealId, uint8 indexed slotIndex, address owner, uint256 amountWei);
    event DealStatusChanged(bytes32 indexed dealId, DealStatus from, DealStatus to);
    event Credited(address indexed account, uint256 amountWei);
    event Withdrawn(address indexed account, address to, uint256 amountWei);
    event RepairFundIncreased(uint256 amountWei);

    error NotAuthorized(address caller);
    error InvalidTerms(string reason);
    error DealExists(bytes32 dealId);
    error WrongDealStatus(bytes32 dealId, DealStatus actual, DealStatus expected);
    error WrongSlotStatus(bytes32 dealId, uint8 slotIndex, SlotStatus actual, SlotStatus expected);
    error TooLate(uint32 current, uint32 startBy);
    error OfferExpired(uint8 slotIndex, uint64 expiry);
    error InvalidOfferSignature(uint8 slotIndex, uint32 providerId, address recovered);
    error DuplicateProvider(uint8 slotIndex, uint32 providerId);
    error ProviderIsEvicted(uint32 providerId);
    error InvalidOwnerSignature(address recovered, address owner);
    error AuthorizationExpired(uint64 deadline);
    error WrongCommitment(bytes32 root, bytes32 expectedRoot);
    error WrongPay(uint256 payWei, uint256 expectedWei);
    error OldTenureOpen(uint32 finalBefore, uint32 needed);
    error NotEndedYet(uint32 current, uint32 end);
    error NothingToWithdraw(address account);
    error UnsupportedToken(uint256 received, uint256 expected);

    /// @notice Opens one or many deals; the caller is owner and payer of each. Needs an allowance of the escrow.
    function openDeals(DealTerms[] calldata deals) external returns (bytes32[] memory dealIds);

    /// @notice `openDeals` after an EIP-2612 permit (a permit that somebody used up before is no error).
    function openDealsWithPermit(DealTerms[] calldata deals, Permit calldata permit) external returns (bytes32[] memory dealIds);

    /// @notice Opens a deal whose owner is not the caller: the caller pays, the owner signed
    /// OpenDeal(address owner,address payer,bytes32 dealSalt,bytes32 headerHash,bytes32 rootsHash,uint256 maxEscrowWei,uint64 deadline)
    /// with rootsHash = keccak256 of the n roots, packed.
    function openDealWithSig(DealTerms calldata deal, uint256 maxEscrowWei, uint64 deadline, bytes calldata ownerSignature)
        external
        returns (bytes32 dealId);

    /// @notice Pays final periods of slots: proven ones to the provider's owner (less the fee), the others back to the payer. Anyone.
    /// Slots of evicted providers become Vacant, slots past the deal's end Closed; the last one completes the deal.
    function settle(bytes32 dealId, uint8[] calldata slotIndices) external;

    /// @notice Puts another provider on a Vacant slot (or one whose provider is evicted), with the same commitment and pay. The new
    /// tenure pays from the next period. The offer is signed with the deal's own terms but
    /// startBy >= next period and startBy + periods >= deal end. Anyone may send it.
    function refill(
        bytes32 dealId,
        bytes32 dealSalt,
        uint8 slotIndex,
        SlotOffer calldata offer,
        uint32 startBy,
        uint32 periods
    ) external;

    /// @notice Ends a deal early, orderly: the present period is still paid, what is after it goes back to the payer. Owner only.
    function terminate(bytes32 dealId) external;

    /// @notice `terminate` with the owner's signature over TerminateDeal(bytes32 dealId,uint64 deadline).
    function terminateWithSig(bytes32 dealId, uint64 deadline, bytes calldata ownerSignature) external;

    /// @notice Pays out the caller's credits.
    function withdraw(address to) external returns (uint256 amountWei);

    /// @notice `withdraw` with the account's signature over Withdraw(address account,address to,uint256 nonce,uint64 deadline).
    function withdrawWithSig(address account, address to, uint64 deadline, bytes calldata signature) external returns (uint256 amountWei);

    /// @notice Books the parts of a slash whose tokens the registry has just sent here. Proofs only.
    function bookSlash(address reporter, uint256 reporterWei, uint256 fundWei, uint256 ownersWei) external;

    /// @notice Moves a slot's interval on its provider's line. Proofs only.
    function moveInterval(bytes32 dealId, uint8 slotIndex, uint64 startGwei) external;

    /// @notice keccak256(abi.encode(chainId, this contract, owner, dealSalt)).
    function dealIdOf(address owner, bytes32 dealSalt) external view returns (bytes32);
    function deal(bytes32 dealId) external view returns (Deal memory);
    function slot(bytes32 dealId, uint8 slotIndex) external view returns (Slot memory);
    /// @notice All slots of a deal, in order.
    function slots(bytes32 dealId) external view returns (Slot[] memory);
    /// @notice What a proof needs of a slot, in two words.
    function slotForProof(bytes32 dealId, uint8 slotIndex)
        external
        view
        returns (
            bytes32 root,
            uint32 providerId,
            uint64 startGwei,
            uint64 payGwei,
            uint64 leafCount,
            uint32 fromPeriod,
            uint32 liveUntil
        );
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
