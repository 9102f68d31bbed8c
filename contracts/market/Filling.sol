// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {MarketTypes} from "../libraries/MarketTypes.sol";
import {FillJob, MarketEnv, MarketState, SlotWord} from "./MarketState.sol";

/// @title How a provider gets a slot: its offer is checked, its collateral locked, its line grows
library Filling {
    uint256 private constant GWEI = 1e9;

    /// Gives a slot to the provider of an offer.
    function fill(MarketState storage self, FillJob memory job, uint8 slotIndex, IStorageMarket.SlotOffer calldata o) internal {
        if (block.timestamp > o.expiry) revert IStorageMarket.OfferExpired(slotIndex, o.expiry);
        if (o.leafCount == 0 || o.leafCount > type(uint40).max) revert IStorageMarket.InvalidTerms("leafCount");
        uint64 collateralGwei = _checkOffer(self, job, slotIndex, o);

        SlotWord memory s;
        s.providerId = o.providerId;
        s.payGwei = _wholeGwei(o.payPerPeriodWei, "payPerPeriodWei");
        s.collateralGwei = _wholeGwei(o.collateralWei, "collateralWei");
        s.leafCount = uint40(o.leafCount);
        s.from = uint24(job.from);
        s.settledTo = uint24(job.from);
        s.status = IStorageMarket.SlotStatus.Filled;
        (uint64 startGwei, uint256 acc) =
            job.env.proofs.append(s.providerId, s.payGwei, s.collateralGwei, collateralGwei, job.from);
        // The proofs contract keeps the line below 2^48.
        s.startGwei = uint48(startGwei);
        if (acc != 0) self.accAtAppend[job.dealId][slotIndex][s.providerId] = acc;
        self.slots[job.dealId][slotIndex] = s;
        emit IStorageMarket.SlotFilled(
            job.dealId, slotIndex, s.providerId, o.root, s.payGwei, s.collateralGwei, startGwei, job.from
        );
    }

    /// @return collateralGwei all that the provider has
    function _checkOffer(MarketState storage self, FillJob memory job, uint8 slotIndex, IStorageMarket.SlotOffer calldata o)
        private
        returns (uint64 collateralGwei)
    {
        MarketEnv memory env = job.env;
        address operator;
        uint32 epoch;
        bool isCapped;
        (operator, epoch, collateralGwei, isCapped) = env.registry.signerOf(o.providerId);
        if (operator == address(0)) revert IStorageMarket.UnknownProvider(o.providerId);
        // An evicted provider has nothing left, so only then it is worth a look.
        if (collateralGwei == 0 && env.registry.evictedAtPeriod(o.providerId) != 0) {
            revert IStorageMarket.ProviderIsEvicted(o.providerId);
        }
        bytes32 digest = MessageHashUtils.toTypedDataHash(env.domainSeparator, MarketTypes.hashOffer(job.message, slotIndex, o));
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, o.r, o.vs);
        if (err != ECDSA.RecoverError.NoError || o.operatorEpoch != epoch || signer != operator) {
            revert IStorageMarket.InvalidOfferSignature(slotIndex, o.providerId, signer);
        }
        if (job.isRefill) {
            if (self.usedOffers[digest]) revert IStorageMarket.OfferUsed(slotIndex, o.providerId);
            self.usedOffers[digest] = true;
        }
        if (isCapped) env.registry.useOperatorCap(o.providerId, job.current, o.collateralWei);
    }

    function _wholeGwei(uint256 amountWei, string memory what) private pure returns (uint40 gwei_) {
        gwei_ = uint40(amountWei / GWEI);
        if (amountWei == 0 || amountWei % GWEI != 0 || amountWei / GWEI > type(uint40).max) {
            revert IStorageMarket.InvalidTerms(what);
        }
    }
}
