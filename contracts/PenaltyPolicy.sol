// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";

/// @title See IPenaltyPolicy, the manual.
contract PenaltyPolicy is IPenaltyPolicy {
    uint256 private constant BPS = 10_000;

    /// @inheritdoc IPenaltyPolicy
    address public immutable override timelock;
    /// Two words; what settling reads lies in the second.
    Params private _params;

    constructor(address timelock_, Params memory initial) {
        timelock = timelock_;
        _set(initial);
    }

    /// @inheritdoc IPenaltyPolicy
    function setParams(Params calldata next) external {
        if (msg.sender != timelock) revert NotAuthorized(msg.sender);
        _set(next);
    }

    /// @inheritdoc IPenaltyPolicy
    function params() external view returns (Params memory) {
        return _params;
    }

    /// @inheritdoc IPenaltyPolicy
    function assess(Record calldata record, uint32 period, bool consecutive, uint256 provenSince, uint256 collateralWei)
        external
        view
        returns (Tier tier, uint256 slashWei, Record memory next)
    {
        Params memory p = _params;
        bool known = record.lastMissPeriod != 0;
        uint256 incidents = _decayed(record.incidents, provenSince, p.decayPeriods);
        bool continues = known && consecutive;
        next = Record({
            incidentMisses: continues ? record.incidentMisses + 1 : 1,
            // A new incident counts from its first miss, whatever that miss costs.
            incidents: uint32(continues ? incidents : incidents + 1),
            lastMissPeriod: period,
            incidentCollateralWei: continues ? record.incidentCollateralWei : collateralWei
        });

        if (next.incidentMisses >= p.destroyAfterMisses) return (Tier.Destruction, collateralWei, next);

        bool first = !known || period - record.lastMissPeriod > p.warningWindowPeriods;
        if (first && !continues) return (Tier.Warning, 0, next);

        // Grows with the incident (its n-th miss weighs n) and with incidents that have not decayed.
        uint256 earlier = next.incidents == 0 ? 0 : next.incidents - 1;
        uint256 bps = (uint256(p.missBps) + uint256(p.repeatBps) * earlier) * next.incidentMisses;
        if (bps > p.maxMissBps) bps = p.maxMissBps;
        slashWei = (next.incidentCollateralWei * bps) / BPS;
        if (slashWei > collateralWei) slashWei = collateralWei;
        return (Tier.Proportional, slashWei, next);
    }

    /// @inheritdoc IPenaltyPolicy
    function split(uint256 amountWei, Finder finder)
        external
        view
        returns (uint256 fundWei, uint256 finderWei, uint256 ownersWei)
    {
        uint256 finderBps = finder == Finder.None ? 0 : finder == Finder.Reporter ? _params.reporterBps : _params.challengerBps;
        // Both shares together are at most the whole, so are one part rounded up and the other rounded down.
        finderWei = (amountWei * finderBps) / BPS;
        fundWei = (amountWei * _params.fundBps + BPS - 1) / BPS;
        ownersWei = amountWei - fundWei - finderWei;
    }

    /// @inheritdoc IPenaltyPolicy
    function protocolFeeBps() external view returns (uint16) {
        return _params.protocolFeeBps;
    }

    /// @inheritdoc IPenaltyPolicy
    function lossBps() external view returns (uint16 declared, uint16 caught) {
        return (_params.declaredLossBps, _params.caughtLossBps);
    }

    /// @inheritdoc IPenaltyPolicy
    function premium(uint256 collateralWei, uint256 vacantPeriods) external view returns (uint256 premiumWei) {
        uint256 ramp = _params.premiumRampPeriods;
        premiumWei = (collateralWei * _params.premiumBps) / BPS;
        if (vacantPeriods < ramp) premiumWei = (premiumWei * vacantPeriods) / ramp;
    }

    function _set(Params memory p) private {
        // At least 40 % to the fund, and little to who finds: recycling one's own slash must lose money.
        _require(p.fundBps >= 4_000 && p.fundBps <= BPS, "fundBps", p.fundBps);
        _require(p.reporterBps <= 500 && p.reporterBps + p.fundBps <= BPS, "reporterBps", p.reporterBps);
        _require(p.challengerBps <= 1_000 && p.challengerBps + p.fundBps <= BPS, "challengerBps", p.challengerBps);
        _require(p.protocolFeeBps <= 1_000, "protocolFeeBps", p.protocolFeeBps);
        _require(p.maxMissBps <= BPS && p.missBps <= p.maxMissBps, "missBps", p.missBps);
        _require(p.destroyAfterMisses >= 2, "destroyAfterMisses", p.destroyAfterMisses);
        _require(p.decayPeriods != 0, "decayPeriods", p.decayPeriods);
        _require(p.caughtLossBps < BPS, "caughtLossBps", p.caughtLossBps);
        _require(p.declaredLossBps != 0 && p.declaredLossBps < p.caughtLossBps, "declaredLossBps", p.declaredLossBps);
        // The fund's part of the cheapest loss must be above what repairing the slot earns.
        _require(p.premiumBps * BPS < uint256(p.declaredLossBps) * p.fundBps, "premiumBps", p.premiumBps);
        _params = p;
        emit ParamsChanged(p);
    }

    function _require(bool holds, string memory name, uint256 value) private pure {
        if (!holds) revert ParameterOutOfBounds(name, value);
    }

    function _decayed(uint256 incidents, uint256 provenSince, uint256 decayPeriods) private pure returns (uint256) {
        uint256 forgotten = provenSince / decayPeriods;
        return forgotten >= incidents ? 0 : incidents - forgotten;
    }
}
