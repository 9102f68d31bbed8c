// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPenaltyPolicy} from "../interfaces/IPenaltyPolicy.sol";
import {IPossessionProofs} from "../interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";

// What the market keeps, word by word, and what its libraries are handed. Only StorageMarket holds a MarketState. What never changes
// of a deal (owner, payer, header, roots) is kept as contract code at `terms`: see FixedTerms.

/// One word: terms 160 | start 24 | end 24 | k 8 | n 8 | status 8 | openSlots 8 | vacantSlots 8 (248 bits).
struct DealHead {
    address terms;
    uint24 start;
    uint24 end;
    uint8 k;
    uint8 n;
    IStorageMarket.DealStatus status;
    uint8 openSlots;
    uint8 vacantSlots;
}

/// One word: providerId 32 | start of the interval 48 | pay 40 | collateral 40 | leaves 40 | tenure from 24 | settled to 24 |
/// status 8 (256 bits). Money in gwei; periods as they are (IPossessionProofs, P7).
struct SlotWord {
    uint32 providerId;
    uint48 startGwei;
    uint40 payGwei;
    uint40 collateralGwei;
    uint40 leafCount;
    uint24 from;
    uint24 settledTo;
    IStorageMarket.SlotStatus status;
}

/// One word: start 48 | pay 40 | collateral 40 | from 24 | settled to 24 | until 24 | isSettled 8 (208 bits). Root and leaves are the slot's.
struct PastWord {
    uint48 startGwei;
    uint40 payGwei;
    uint40 collateralGwei;
    uint24 from;
    uint24 settledTo;
    uint24 until;
    bool isSettled;
}

/// One word: 32 | 224. What the committee has taken out of the fund in a period.
struct Rewards {
    uint32 period;
    uint224 paidWei;
}

struct MarketState {
    mapping(bytes32 dealId => DealHead) heads;
    mapping(bytes32 dealId => mapping(uint8 slotIndex => SlotWord)) slots;
    mapping(bytes32 dealId => mapping(uint8 slotIndex => mapping(uint32 providerId => PastWord))) past;
    /// The accumulator of slashes when a tenure joined its line; written only when it is not zero.
    mapping(bytes32 dealId => mapping(uint8 slotIndex => mapping(uint32 providerId => uint256 weiPerGwei))) accAtAppend;
    mapping(address account => uint256) creditWei;
    mapping(address account => uint256) nonces;
    uint256 repairFundWei;
    uint256 unclaimedWei;
    Rewards rewards;
    /// Offers that gave a vacant slot, or one that was handed over: each counts once. Those of an opening do because a deal id does.
    mapping(bytes32 digest => bool) usedOffers;
}

/// The market's fixed surroundings.
struct MarketEnv {
    IERC20 token;
    IProviderRegistry registry;
    IPossessionProofs proofs;
    IPenaltyPolicy policy;
    bytes32 domainSeparator;
}

/// One call's work on one deal: read once, changed in memory, written once.
struct Work {
    MarketEnv env;
    bytes32 dealId;
    DealHead head;
    address owner;
    address payer;
    uint32 current;
    uint256 feeBps;
    /// Owed to the payer and to the repair fund at the end of the call.
    uint256 refundWei;
    uint256 feeWei;
}

/// What the fillings of one call have in common.
struct FillJob {
    MarketEnv env;
    bytes32 dealId;
    /// The deal's part of the offers (MarketTypes.offerMessage).
    bytes message;
    /// First period that is paid.
    uint32 from;
    uint32 current;
    /// Whether the offers are kept as used.
    bool isRefill;
}

/// A tenure being settled, whichever word it comes from.
struct Tenure {
    uint32 providerId;
    uint40 payGwei;
    uint40 collateralGwei;
    uint32 from;
    uint32 settledTo;
    uint32 until;
}
