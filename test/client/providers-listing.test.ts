/** What `ppio provider ls` and `status` say of how providers stand. */
import { expect } from "chai";
import { describeProviders, describeStatus, toListed } from "../../cli/dist/providers/listing.js";
import { heldFor, NOW_MS, viewOf } from "../support/client/provider-views.ts";

describe("a list of providers", () => {
  const listed = [
    viewOf(1, { score: 9_500 }),
    viewOf(2, { provenPeriods: 12 }),
    viewOf(3, { provenPeriods: 2, score: 9_500 }),
    viewOf(4, { problem: "evicted in period 7" }),
    viewOf(5, { freeBytes: 1_000 }),
    viewOf(6, { served: heldFor(60_000, 5_000, "lied") }),
    viewOf(7, { served: heldFor(-1, 5_000, "lied"), missedPeriods: 4 }),
  ].map((view) => toListed(view, NOW_MS));

  it("says for each why it is out, or that it is new, or that all is well", () => {
    const states = describeProviders(listed)
      .split("\n")
      .slice(2)
      .map((line) => line.replace(/^.*(?: -|\(term 1\)) +/, ""));
    const untilIso = new Date(NOW_MS + 60_000).toISOString();
    expect(states).to.deep.equal([
      "ok",
      "new: 12 of 168 periods proven",
      "new: 2 of 24 periods proven",
      "evicted in period 7",
      "has 1000 bytes free, a slot has 65536",
      `lied here; not chosen before ${untilIso} unless too few others are left`,
      "ok",
    ]);
    expect(listed.map(({ vetted }) => vetted)).to.deep.equal([true, false, false, true, true, true, true]);
    expect(listed.map(({ outBecause }) => outBecause !== undefined)).to.deep.equal([false, false, false, true, true, true, false]);
    expect(describeProviders([])).to.equal("no providers");
  });

  it("has a line for everything that is known of one", () => {
    const { standing } = viewOf(1, { score: 9_000 });
    const text = describeStatus(
      {
        providerId: 3,
        endpoint: "http://x",
        owner: "0xo",
        operator: "0xp",
        operatorEpoch: 1,
        collateralWei: 10n ** 18n,
        lockedWei: 0n,
        creditWei: 0n,
        readsCreditWei: 0n,
        incidentMisses: 2,
        evictedAtPeriod: 0,
        repairedSlots: 1,
        premiumsWei: 10n ** 18n,
        health: "ok",
        registeredAt: 1_700_000_000,
        ageSeconds: 3 * 86_400,
        provenPeriods: 1_000,
        missedPeriods: 3,
        warnings: 1,
        slashes: [
          { reason: "proofs", period: 5, slashedWei: 1n },
          { reason: "proofs", period: 6, slashedWei: 2n },
          { reason: "slots", slashedWei: 4n },
        ],
        slashedWei: 7n * 10n ** 17n,
        scores: [{ score: 9_000, term: 4, reports: 3 }],
        ownerEvictions: [1, 2],
        recent: standing,
        served: { seenAtMs: NOW_MS, failures: 0, lies: 0, latencyMs: 12.4, sentBytesPerSecond: 3 << 20 },
      },
      NOW_MS,
    );
    for (const line of [
      "owner       0xo, of whom 1, 2 were evicted",
      "since       2023-11-14T22:13:20.000Z, 3 days ago",
      "proofs      1000 periods proven, 3 missed, 1 of them with a warning",
      "lately      700 of 720 periods proven; vetted",
      "slashed     0.7 PPIO (2 for proofs, 1 for slots)",
      "service     9000 (term 4) of 10000, 1 scores by the verifiers",
      "seen here   answers after 12 ms, takes 3.00 MiB/s",
      "standing    in business; newest incident: 2 missed periods",
    ]) {
      expect(text).to.contain(line);
    }
  });
});
