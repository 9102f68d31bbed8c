/** The network heals itself, on real processes: no owner is online, no key is at hand, and whoever cheats is caught and replaced. */
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeDealHeader, readTicketMessage, repairAuthorization, repairTicketMessage, slotBytes, ticketAuthorization } from "@ppio/core";
import { expect } from "chai";
import { getBytes, Wallet, ZeroAddress, ZeroHash } from "ethers";
import { readBooks, readRepairBooks } from "../support/e2e/books.ts";
import { Devnet } from "../support/e2e/devnet.ts";

const PROVIDERS = 7;
const [K, N] = [2, 4];
const FILLED = 1n;
const PERIODS_TO_HEAL = 3;

describe("Repair by the network itself", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let dealId: string;
  let objectSlotBytes: number;
  const bytes = randomBytes(3_000_000);

  before(async () => {
    devnet = await Devnet.start(PROVIDERS);
    await writeFile(devnet.path("in"), bytes);
    ({ dealId } = await devnet.ok<{ dealId: string }>(
      "put",
      devnet.path("in"),
      "ppio://watched/x",
      "--code",
      `${K}/${N}`,
      "--periods",
      "360",
    ));
    objectSlotBytes = slotBytes(decodeDealHeader(getBytes((await devnet.contracts.market.deal(dealId)).header)));
  });
  after(() => devnet.stop());

  const holderOf = async (slotIndex: number): Promise<number> => Number((await devnet.contracts.market.slot(dealId, slotIndex)).providerId);
  const providerOf = async (providerId: number) => {
    const found = (await devnet.json()).providers.find((provider) => provider.providerId === providerId);
    if (found === undefined) throw new Error(`no provider ${providerId}`);
    return found;
  };
  const readBack = async (): Promise<void> => {
    await devnet.ok("get", "ppio://watched/x", devnet.path("out"), "--force");
    expect((await readFile(devnet.path("out"))).equals(bytes)).to.equal(true);
  };
  /** A counter, over all providers that answer. */
  const countedBy = async (metric: string): Promise<number> => {
    let total = 0;
    for (const { port } of (await devnet.json()).providers) {
      const text = await fetch(`http://127.0.0.1:${port}/v1/metrics`).then(
        (response) => response.text(),
        () => "",
      );
      total += Number(new RegExp(`^${metric} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    }
    return total;
  };
  const traffic = async (): Promise<number> =>
    (await countedBy("ppio_repair_read_bytes_total")) + (await countedBy("ppio_repair_sent_bytes_total"));
  const evictionOf = async (providerId: number): Promise<number> => {
    const { registry, proofs } = devnet.contracts;
    const [event] = await devnet.until(async () => {
      const found = await registry.queryFilter(registry.filters.ProviderEvicted(providerId), devnet.book.fromBlock);
      return found.length > 0 && found;
    });
    const block = await event?.getBlock();
    return Number(await proofs.periodOf(block?.timestamp ?? 0));
  };
  const repairsOf = async (id: string) => {
    const { repair } = devnet.contracts;
    return (await repair.queryFilter(repair.filters.SlotRepaired(id), devnet.book.fromBlock)).map(({ args }) => args);
  };
  /** Deals with a slot of this provider. */
  const dealsOf = async (providerId: number): Promise<string[]> => {
    const { market } = devnet.contracts;
    const filled = await market.queryFilter(market.filters.SlotFilled(undefined, undefined, providerId), devnet.book.fromBlock);
    return [...new Set(filled.map(({ args }) => args.dealId))];
  };

  it("refuses a provider that kept a slot's tree only and asks its peers, so that it is caught", async () => {
    const cheat = await holderOf(1);
    const { name, operatorKey } = await providerOf(cheat);
    const folder = (await devnet.slotFolders(dealId)).get(1) ?? "";
    expect(folder).to.include(name);
    await rm(join(folder, "data"));
    const operator = new Wallet(operatorKey);
    const domain = { chainId: BigInt(devnet.book.chainId), market: devnet.book.market };
    const expiry = Math.floor(Date.now() / 1000) + 600;
    for (const slotIndex of [0, 2, 3]) {
      const peer = await providerOf(await holderOf(slotIndex));
      const repairTicket = { providerId: peer.providerId, dealId, slotIndex: 1, expiry };
      const readTicket = { dealId, firstCell: 0, cellCount: 1, audience: ZeroAddress, expiry, nonce: ZeroHash };
      for (const authorization of [
        repairAuthorization({ ticket: repairTicket, signature: await repairTicketMessage.sign(domain, repairTicket, operator) }),
        ticketAuthorization({ ticket: readTicket, signature: await readTicketMessage.sign(domain, readTicket, operator) }),
      ]) {
        const url = `http://127.0.0.1:${peer.port}/v1/deals/${dealId}/slots/${slotIndex}?offset=0&length=128`;
        const response = await fetch(url, { headers: { authorization } });
        expect(response.status).to.equal(403);
        expect(((await response.json()) as { error: { code: string } }).error.code).to.equal("UNAUTHORIZED");
      }
    }
    const { proofs, market } = devnet.contracts;
    await devnet.until(async () => {
      const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(cheat), devnet.book.fromBlock);
      const lost = await market.queryFilter(market.filters.SlotVacated(dealId, 1, cheat), devnet.book.fromBlock);
      return missed.length + lost.length > 0;
    });
    await readBack();
  });

  it("refills the slots of a provider that was killed for good, proven elsewhere within three periods, with no owner online", async () => {
    const { market, proofs } = devnet.contracts;
    const lost = await holderOf(0);
    process.kill(await devnet.pidOf((await providerOf(lost)).name), "SIGKILL");
    await readBack();
    const evictedIn = await evictionOf(lost);
    const deals = await dealsOf(lost);
    for (const id of deals) {
      const slots = (await market.slots(id)).length;
      const healed = await devnet.until(async () => {
        const held = await market.slots(id);
        return held.every(({ status, providerId }) => status === FILLED && Number(providerId) !== lost) && held;
      });
      expect(new Set(healed.map(({ providerId }) => providerId)).size, "distinct providers").to.equal(slots);
      for (const { providerId, fromPeriod } of healed) {
        if (Number(fromPeriod) <= evictedIn) continue;
        await devnet.until(() => proofs.isProven(providerId, fromPeriod));
        const [proven] = await proofs.queryFilter(proofs.filters.PeriodProven(providerId, fromPeriod), devnet.book.fromBlock);
        const inPeriod = Number(await proofs.periodOf((await proven?.getBlock())?.timestamp ?? 0));
        expect(inPeriod, "proven elsewhere").to.be.at.most(evictedIn + PERIODS_TO_HEAL);
      }
    }
    await readBack();
  });

  it("heals what the cheat held as well, and reads no more than k + m slots for m", async () => {
    const { market } = devnet.contracts;
    await devnet.until(async () => (await market.slots(dealId)).every(({ status }) => status === FILLED));
    expect((await repairsOf(dealId)).map(({ slotIndex }) => Number(slotIndex))).to.include(0);
    let boundBytes = 0;
    let slots = 0;
    const reservations = await devnet.contracts.repair.queryFilter(devnet.contracts.repair.filters.SlotReserved(), devnet.book.fromBlock);
    for (const id of new Set(reservations.map(({ args }) => args.dealId))) {
      const size = slotBytes(decodeDealHeader(getBytes((await market.deal(id)).header)));
      const blocks = new Map<number, number>();
      for (const { args, blockNumber } of reservations) if (args.dealId === id) blocks.set(blockNumber, (blocks.get(blockNumber) ?? 0) + 1);
      for (const m of blocks.values()) boundBytes += (K + m) * size;
      slots += (await repairsOf(id)).length;
    }
    const moved = await traffic();
    console.log(
      `        repaired ${slots} slots with ${moved} bytes of traffic, bound ${boundBytes}; the object's slots have ${objectSlotBytes} bytes each`,
    );
    expect(slots).to.be.at.least(1);
    expect(moved).to.be.greaterThan(0).and.at.most(boundBytes);
    await readBack();
  });

  it("keeps books that add up to the wei (M1, R1, N2)", async () => {
    const { market } = devnet.contracts;
    await devnet.ok("deal", "end", dealId);
    await devnet.until(async () => (await market.deal(dealId)).openSlots === 0n);
    const books = await readBooks(devnet);
    expect(books.slashedWei).to.be.greaterThan(0n);
    expect(books.marketHolds).to.equal(books.marketOwes);
    expect(books.registryHolds).to.equal(books.registryOwes);
    const repairBooks = await readRepairBooks(devnet);
    expect(repairBooks.holds).to.equal(repairBooks.owes);
  });
});
