/** Which providers get the slots of a deal, and in which order. */
import { expect } from "chai";
import { selectCandidates } from "../../client/dist/providers/select.js";

type Options = Parameters<typeof selectCandidates>[0];

const provider = (providerId: number, changes: { readonly freeBytes?: number; readonly failureDomain?: string } = {}) => {
  const { freeBytes = 1 << 30, failureDomain = "here" } = changes;
  const info = { freeBytes, pricePerGibPeriodWei: "1000000000000000", collateralPeriods: 10 };
  return { providerId, owner: "0x", failureDomain, freeCollateralWei: 10n ** 24n, info, latencyMs: providerId };
};

const chosen = (providers: readonly ReturnType<typeof provider>[], options: Partial<Options>): number[] =>
  selectCandidates({
    providers: providers as unknown as Options["providers"],
    slotBytes: 1 << 20,
    needed: 2,
    spares: 8,
    ...options,
  }).map(({ providerId }) => providerId);

describe("choosing providers", () => {
  const four = [1, 2, 3, 4].map((id) => provider(id));

  it("takes those first that have a part already, though their room is taken by it", () => {
    const providers = [provider(1), provider(2), provider(3, { freeBytes: 0 }), provider(4, { freeBytes: 0 })];
    expect(chosen(providers, { begun: new Set([3]) })).to.deep.equal([3, 1, 2]);
  });

  it("takes those last that are to be avoided, and takes them when there are no others", () => {
    expect(chosen(four, { avoid: new Set([1, 2]) })).to.deep.equal([3, 4, 1, 2]);
    expect(chosen(four, { avoid: new Set([1, 2]), needed: 4, spares: 0 })).to.deep.equal([3, 4, 1, 2]);
  });

  it("spreads slots over failure domains before it looks at distance, beside those that have begun", () => {
    const providers = [provider(1), provider(2), provider(3, { failureDomain: "there" })];
    expect(chosen(providers, {})).to.deep.equal([1, 3, 2]);
    expect(chosen(providers, { begun: new Set([3]) })).to.deep.equal([3, 1, 2]);
  });
});
