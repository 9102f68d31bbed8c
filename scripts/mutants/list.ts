/** Planted bugs: each an exact string of one file and what stands in its place. A string must occur exactly once. */

export interface Mutant {
  readonly name: string;
  /** Under contracts/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "pay paid twice",
    file: "market/Settlement.sol",
    from: "            t.settledTo = to;\n",
    to: "            if (proven == 0) t.settledTo = to;\n",
  },
  {
    name: "fee paid to the provider too",
    file: "market/Settlement.sol",
    from: "self.creditWei[providerOwner] += grossWei - feeWei;",
    to: "self.creditWei[providerOwner] += grossWei;",
  },
  {
    name: "refund missing on vacancy",
    file: "market/Tenures.sol",
    from: "        refund(w, slotIndex, s.providerId, s.payGwei, s.settledTo, to);\n",
    to: "",
  },
  {
    name: "collateral not released",
    file: "ProviderLines.sol",
    from: "        line.lockedGwei -= uint56(lockGwei);\n",
    to: "",
  },
  {
    name: "slash without scaling",
    file: "market/Tenures.sol",
    from: "if (collateralGwei < lockedGwei) gwei_ =",
    to: "if (collateralGwei == 0) gwei_ =",
  },
  {
    name: "proof without its leaf check",
    file: "PossessionProofs.sol",
    from: "if (!Sha256Merkle.verify(root, leaf, proof))",
    to: "if (!Sha256Merkle.verify(root, leaf, proof) && draw > MAX_DRAWS)",
  },
  {
    name: "live slot accepted as a hole",
    file: "PossessionProofs.sol",
    from: "if (!_isProvidersOwn(c.providerId, msg.sender)) revert SlotIsLive(dealId, slotIndex);",
    to: "if (!_isProvidersOwn(c.providerId, msg.sender)) return false;",
  },
  {
    name: "wrong period window",
    file: "PossessionProofs.sol",
    from: "if (current != uint256(period) + 1) revert",
    to: "if (current < uint256(period) + 1) revert",
  },
  {
    name: "slot need not hold the point drawn",
    file: "PossessionProofs.sol",
    from: "if (point < start || point >= start + pay) revert",
    to: "if (point < start && point >= start + pay) revert",
  },
  {
    name: "offer for a refill counts twice",
    file: "market/Filling.sol",
    from: "            self.usedOffers[digest] = true;\n",
    to: "",
  },
  {
    name: "signed withdrawal counts twice",
    file: "market/MarketAccounts.sol",
    from: "_state.nonces[account]++",
    to: "_state.nonces[account]",
  },
  {
    name: "pause of any length is a halt",
    file: "Periods.sol",
    from: "uint256 needed = periodSeconds / 2 + 1;",
    to: "uint256 needed = 1;",
  },
  {
    name: "week's budget for bad service never spent",
    file: "libraries/WeekBudget.sol",
    from: "next = (today << DAY_SHIFT) | (lanes + takenBps);",
    to: "next = (today << DAY_SHIFT) | lanes;",
  },
  {
    name: "deal id reused",
    file: "StorageMarket.sol",
    from: "        if (_state.heads[dealId].status != DealStatus.None) revert DealExists(dealId);\n",
    to: "",
  },
  {
    name: "duplicate provider",
    file: "StorageMarket.sol",
    from: "if (!IdSet.add(seen, offer.providerId) && offer.providerId != 0) {",
    to: "if (!IdSet.add(seen, offer.providerId) && offer.providerId == 0) {",
  },
  {
    name: "offer's signer not checked",
    file: "market/Filling.sol",
    from: " || signer != operator)",
    to: ")",
  },
  {
    name: "reservation bond never decays",
    file: "SlotRepair.sol",
    from: "uint256 returnedWei = (r.bondWei * left) / (r.until - r.openedAt);",
    to: "uint256 returnedWei = left > r.until ? 0 : r.bondWei;",
  },
  {
    name: "challenge bond to the wrong party",
    file: "SlotChallenges.sol",
    from: "_end(dealId, slotIndex, c, _registry.ownerOf(c.providerId));",
    to: "_end(dealId, slotIndex, c, c.challenger);",
  },
  {
    name: "vacancy count not decreased",
    file: "market/SlotTransfers.sol",
    from: "        w.head.vacantSlots -= 1;\n",
    to: "",
  },
  {
    name: "eviction not final",
    file: "ProviderRegistry.sol",
    from: "        if (p.evictedAtPeriod != 0) revert AlreadyEvicted(providerId);\n        p.collateralGwei",
    to: "        p.collateralGwei",
  },
  {
    name: "premium unbounded",
    file: "PenaltyPolicy.sol",
    from: "if (vacantPeriods < ramp) premiumWei =",
    to: "if (ramp != 0) premiumWei =",
  },
  {
    name: "owner's share to the payer",
    file: "market/Settlement.sol",
    from: "self.claim(w.dealId, slotIndex, w.owner,",
    to: "self.claim(w.dealId, slotIndex, w.payer,",
  },
  {
    name: "who lost a slot owes it once it is closed",
    file: "market/Tenures.sol",
    from: "        s.providerId = 0;\n",
    to: "",
  },
  {
    name: "collateral leaves before its delay",
    file: "ProviderRegistry.sol",
    from: "        if (block.timestamp < until) revert StillUnbonding(until);\n",
    to: "",
  },
  {
    name: "fund's part of a slash rounded down",
    file: "PenaltyPolicy.sol",
    from: "fundWei = (amountWei * _params.fundBps + BPS - 1) / BPS;",
    to: "fundWei = (amountWei * _params.fundBps) / BPS;",
  },
  {
    name: "operator's cap not kept",
    file: "ProviderRegistry.sol",
    from: "if (amountWei / GWEI > left) revert",
    to: "if (amountWei / GWEI > left && p.capGwei == 0) revert",
  },
  {
    name: "length not recorded when a slot joins",
    file: "ProviderLines.sol",
    from: "        _record(line, currentPeriod());\n",
    to: "",
  },
  {
    name: "cursor of misses stands still",
    file: "PossessionProofs.sol",
    from: "        _lines[providerId].cursor = uint24(period + 1);\n",
    to: "",
  },
  {
    name: "ended challenges still counted",
    file: "SlotChallenges.sol",
    from: "        if (!c.isOwners) --openCount[c.providerId];\n",
    to: "",
  },
];
