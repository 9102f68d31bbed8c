// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IPenaltyPolicy} from "./interfaces/IPenaltyPolicy.sol";

/// @title See IPenaltyPolicy, the manual.
contract PenaltyPolicy is IPenaltyPolicy {
    uint256 private constant BPS = 10_000;

    Params private _params;

    error ParameterOutOfBounds(string name, uint256 value);

    constructor(Params memory p) {
        // At least 40 % to the fund and at most 5 % to the reporter: recycling one's own slash must lose money.
        if (p.fundBps < 4_000 || p.fundBps > BPS) revert ParameterOutOfBounds("fundBps", p.fundBps);
        if (p.reporterBps > 500 || p.reporterBps + p.fundBps > BPS) revert ParameterOutOfBounds("reporterBps", p.reporterBps);
        if (p.protocolFeeBps > 1_000) revert ParameterOutOfBounds("protocolFeeBps", p.protocolFeeBps);
        if (p.maxMissBps > BPS || p.missBps > p.maxMissBps) revert ParameterOutOfBounds("missBps", p.missBps);
        if (p.destroyAfterMisses < 2) revert ParameterOutOfBounds("destroyAfterMisses", p.destroyAfterMisses);
        if (p.decayPeriods == 0) revert ParameterOutOfBounds("decayPeriods", p.decayPeriods);
        _params = p;
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
    function split(uint256 amountWei) external view returns (uint256 fundWei, uint256 reporterWei, uint256 ownersWei) {
        reporterWei = (amountWei * _params.reporterBps) / BPS;
        fundWei = (amountWei * _params.fundBps + BPS - 1) / BPS;
        if (fundWei + reporterWei > amountWei) reporterWei = amountWei - fundWei;
        ownersWei = amountWei - fundWei - reporterWei;
    }

    /// @inheritdoc IPenaltyPolicy
    function protocolFee(uint256 payWei) external view returns (uint256 feeWei) {
        return (payWei * _params.protocolFeeBps + BPS - 1) / BPS;
    }

    function _decayed(uint256 incidents, uint256 provenSince, uint256 decayPeriods) private pure returns (uint256) {
        uint256 forgotten = provenSince / decayPeriods;
        return forgotten >= incidents ? 0 : incidents - forgotten;
    }
}
