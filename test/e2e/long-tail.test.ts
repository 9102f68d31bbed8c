/** A put among real processes of which one stands still or dies in the middle: it ends as if there were nobody ill. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Devnet, type SlotOnDisk } from "../support/e2e/devnet.ts";

const PROVIDERS = 6;
const CODE = ["--code", "2/4", "--periods", "60"];
const MIB = 1 << 20;

describe("The long tail of a put, on a devnet", function () {
  this.timeout(120_000);
  let devnet: Devnet;
  const stopped = new Set<number>();

  before(async () => {
    devnet = await Devnet.start(PROVIDERS);
  });
  after(async () => {
    for (const pid of stopped) process.kill(pid, "SIGCONT");
    await devnet.stop();
  });

  const stop = async (name: string): Promise<void> => {
    const pid = await devnet.pidOf(name);
    stopped.add(pid);
    process.kill(pid, "SIGSTOP");
  };
  const cont = async (name: string): Promise<void> => {
    const pid = await devnet.pidOf(name);
    process.kill(pid, "SIGCONT");
    stopped.delete(pid);
  };
  const getBack = async (uri: string): Promise<Buffer> => {
    await devnet.ok("get", uri, devnet.path("out"), "--force");
    return readFile(devnet.path("out"));
  };
  const holdersOf = async (dealId: string): Promise<number[]> =>
    (await devnet.contracts.market.slots(dealId)).map(({ providerId }) => Number(providerId));

  it("leaves a provider out that stands still from the beginning", async () => {
    const { providers } = await devnet.json();
    const [ill] = providers;
    await stop(ill?.name ?? "");
    const bytes = randomBytes(300_000);
    await writeFile(devnet.path("in"), bytes);
    const { dealId } = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://tail/still", ...CODE);
    expect(await holdersOf(dealId)).not.to.include(ill?.providerId);
    expect((await getBack("ppio://tail/still")).equals(bytes)).to.equal(true);
    await cont(ill?.name ?? "");
  });

  it("gives the slot of a provider that is stopped in the middle to a spare, and the bytes come back", async () => {
    const bytes = randomBytes(96 * MIB);
    await writeFile(devnet.path("in"), bytes);
    const putting = devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://tail/middle", ...CODE);
    const receiving = await devnet.untilReceiving(16 * MIB);
    // One that is needed: of a slot that no spare has begun, on a busy machine, and with the most still to come.
    const isAlone = ({ dealId, slotIndex }: SlotOnDisk): boolean =>
      receiving.filter((slot) => slot.dealId === dealId && slot.slotIndex === slotIndex).length === 1;
    const [busy] = receiving.filter(isAlone).sort((a, b) => a.bytes - b.bytes);
    if (busy === undefined) throw new Error("Nobody receives anything.");
    await stop(busy.name);
    const { dealId } = await putting;
    expect(await holdersOf(dealId)).not.to.include(busy.providerId);
    await cont(busy.name);
    expect((await getBack("ppio://tail/middle")).equals(bytes)).to.equal(true);

    // The next commands, which are other processes, know it.
    const { providers } = await devnet.ok<{ providers: { providerId: number; outBecause?: string }[] }>("provider", "ls");
    const out = providers.find(({ providerId }) => providerId === busy.providerId)?.outBecause;
    expect(out).to.match(/^stalled here; not chosen before .* unless too few others are left$/);
    await writeFile(devnet.path("in"), bytes.subarray(0, MIB));
    const next = await devnet.ok<{ dealId: string }>("put", devnet.path("in"), "ppio://tail/next", ...CODE);
    expect(await holdersOf(next.dealId)).not.to.include(busy.providerId);
  });
});
