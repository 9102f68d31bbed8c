// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketState} from "./MarketState.sol";

/// @title The market's books: credits, repair fund, owners' parts of slashes
/// @dev No token moves here. Escrow is not booked at all: it is what the slots' own words say (M2).
library MarketMoney {
    function credit(MarketState storage self, address account, uint256 amountWei) internal {
        if (amountWei == 0) return;
        self.creditWei[account] += amountWei;
        emit IStorageMarket.Credited(account, amountWei);
    }

    function increaseFund(MarketState storage self, uint256 amountWei) internal {
        if (amountWei == 0) return;
        self.repairFundWei += amountWei;
        emit IStorageMarket.RepairFundIncreased(amountWei);
    }

    /// Takes what there is of `amountWei` out of the fund for `to`; the caller pays it out or books it.
    function spendFund(MarketState storage self, address to, uint256 amountWei) internal returns (uint256 paidWei) {
        paidWei = amountWei < self.repairFundWei ? amountWei : self.repairFundWei;
        if (paidWei == 0) return 0;
        self.repairFundWei -= paidWei;
        emit IStorageMarket.RepairFundSpent(to, paidWei);
    }

    /// Moves a slot's part of past slashes out of the unclaimed: the owner's to the owner, the rest to the repair fund.
    function claim(
        MarketState storage self,
        bytes32 dealId,
        uint8 slotIndex,
        address owner,
        uint256 ownerWei,
        uint256 totalWei
    ) internal {
        if (totalWei == 0) return;
        self.unclaimedWei -= totalWei;
        increaseFund(self, totalWei - ownerWei);
        if (ownerWei == 0) return;
        emit IStorageMarket.OwnerCompensated(dealId, slotIndex, owner, ownerWei);
        credit(self, owner, ownerWei);
    }
}
