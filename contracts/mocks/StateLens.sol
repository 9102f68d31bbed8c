// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IPossessionProofs} from "../interfaces/IPossessionProofs.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {ISlotChallenges} from "../interfaces/ISlotChallenges.sol";
import {ISlotRepair} from "../interfaces/ISlotRepair.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";

/// @title Test double: all that the core holds, in one call, so that the fuzzer can look at everything after every step
contract StateLens {
    struct Core {
        IERC20 token;
        IStorageMarket market;
        IProviderRegistry registry;
        IPossessionProofs proofs;
        ISlotChallenges challenges;
        ISlotRepair repair;
    }

    struct Past {
        uint32 providerId;
        IStorageMarket.PastTenure tenure;
    }

    struct SlotState {
        IStorageMarket.Slot slot;
        Past[] past;
        ISlotChallenges.Challenge challenge;
        ISlotRepair.Reservation reservation;
    }

    struct DealState {
        IStorageMarket.Deal deal;
        SlotState[] slots;
    }

    struct ProviderState {
        IProviderRegistry.Provider provider;
        IPossessionProofs.Inventory inventory;
        uint64 gapStartGwei;
        uint64 gapEndGwei;
        uint32 compactedIn;
        uint32 finalBefore;
        uint64 lengthAtCloseGwei;
        uint256 openChallenges;
        uint256 freeWei;
        uint32 idOfOperator;
    }

    struct AccountState {
        uint256 tokenWei;
        uint256 marketWei;
        uint256 challengesWei;
        uint256 repairWei;
    }

    struct State {
        uint256 timestamp;
        uint32 current;
        uint256 marketWei;
        uint256 registryWei;
        uint256 challengesWei;
        uint256 repairWei;
        uint256 fundWei;
        uint256 unclaimedWei;
        DealState[] deals;
        ProviderState[] providers;
        AccountState[] accounts;
    }

    Core private _core;

    constructor(Core memory core) {
        _core = core;
    }

    function read(bytes32[] calldata dealIds, address[] calldata accounts) external view returns (State memory state) {
        Core memory c = _core;
        state.timestamp = block.timestamp;
        state.current = c.proofs.currentPeriod();
        state.marketWei = c.token.balanceOf(address(c.market));
        state.registryWei = c.token.balanceOf(address(c.registry));
        state.challengesWei = c.token.balanceOf(address(c.challenges));
        state.repairWei = c.token.balanceOf(address(c.repair));
        state.fundWei = c.market.repairFundWei();
        state.unclaimedWei = c.market.unclaimedWei();
        state.deals = new DealState[](dealIds.length);
        for (uint256 i; i < dealIds.length; ++i) state.deals[i] = _deal(c, dealIds[i]);
        state.providers = new ProviderState[](c.registry.providerCount());
        for (uint32 i; i < state.providers.length; ++i) state.providers[i] = _provider(c, i + 1, state.current);
        state.accounts = new AccountState[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            address a = accounts[i];
            state.accounts[i] =
                AccountState(c.token.balanceOf(a), c.market.creditOf(a), c.challenges.creditOf(a), c.repair.creditOf(a));
        }
    }

    function _deal(Core memory c, bytes32 dealId) private view returns (DealState memory d) {
        d.deal = c.market.deal(dealId);
        d.slots = new SlotState[](d.deal.n);
        for (uint8 i; i < d.deal.n; ++i) {
            d.slots[i].slot = c.market.slot(dealId, i);
            d.slots[i].past = _past(c, dealId, i);
            d.slots[i].challenge = c.challenges.challengeOf(dealId, i);
            d.slots[i].reservation = c.repair.reservationOf(dealId, i);
        }
    }

    function _past(Core memory c, bytes32 dealId, uint8 slotIndex) private view returns (Past[] memory found) {
        uint32 providers = c.registry.providerCount();
        Past[] memory all = new Past[](providers);
        uint256 count;
        for (uint32 id = 1; id <= providers; ++id) {
            IStorageMarket.PastTenure memory t = c.market.pastTenure(dealId, slotIndex, id);
            if (t.payGwei != 0) all[count++] = Past(id, t);
        }
        found = new Past[](count);
        for (uint256 i; i < count; ++i) found[i] = all[i];
    }

    function _provider(Core memory c, uint32 id, uint32 current) private view returns (ProviderState memory p) {
        p.provider = c.registry.getProvider(id);
        p.inventory = c.proofs.inventory(id);
        (p.gapStartGwei, p.gapEndGwei, p.compactedIn) = c.proofs.compactionOf(id);
        p.finalBefore = c.proofs.finalBefore(id);
        p.lengthAtCloseGwei = c.proofs.lengthAt(id, current - 1);
        p.openChallenges = c.challenges.openCount(id);
        p.freeWei = c.registry.freeCollateral(id);
        p.idOfOperator = c.registry.providerOfOperator(p.provider.operator);
    }
}
