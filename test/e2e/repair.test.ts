/** The network heals itself, on real processes: no owner is online, no key is at hand, and whoever cheats is caught and replaced. */
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeDealHeader,
  readTicketMessage,
  repairAuthorization,
  repairTicketMessage,
  slotBytes,
  ticketAuthorization,
  withGasMargin,
} from "@ppio/core";
import { expect } from "chai";
import { getBytes, Wallet, ZeroAddress, ZeroHash } from "ethers";
import { readRepairBooks } from "../support/e2e/books.ts";
import { Devnet } from "../support/e2e/devnet.ts";
import { expectBooksToBalance, expectReadable } from "../support/e2e/kept.ts";

const PROVIDERS = 7;
const [K, N] = [2, 4];
const FILLED = 1n;
const PERIODS_TO_HEAL = 3;

describe("Repair by the network itself", function () {
  this.timeout(240_000);
  let devnet: Devnet;
  let dealId: string;
  let killed: number;
  const bytes = randomBytes(1_000_000);

  before(async () => {
    // Slow enough to be interrupted.
    devnet = await Devnet.start(PROVIDERS, { PPIO_REPAIR_BYTES_PER_SECOND: String(1 << 20) });
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
  });
  after(() => devnet.stop());

  const holderOf = async (slotIndex: number): Promise<number> => Number((await devnet.contracts.market.slot(dealId, slotIndex)).providerId);
  const providerOf = async (providerId: number) => {
    const found = (await devnet.json()).providers.find((provider) => provider.providerId === providerId);
    if (found === undefined) throw new Error(`no provider ${providerId}`);
    return found;
  };
  const readBack = (): Promise<void> => expectReadable(devnet, "ppio://watched/x", bytes);
  /** A provider's counter; 0 of one that does not answer. */
  const countedAt = async (port: number, metric: string): Promise<number> => {
    const text = await fetch(`http://127.0.0.1:${port}/v1/metrics`).then(
      (response) => response.text(),
      () => "",
    );
    return Number(new RegExp(`^${metric} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  };
  const slotBytesOf = async (id: string): Promise<number> =>
    slotBytes(decodeDealHeader(getBytes((await devnet.contracts.market.deal(id)).header)));
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
    // At the same time another one dies: k are left.
    killed = await holderOf(0);
    process.kill(await devnet.pidOf((await providerOf(killed)).name), "SIGKILL");
    const operator = new Wallet(operatorKey);
    const domain = { chainId: BigInt(devnet.book.chainId), market: devnet.book.market };
    const expiry = Math.floor(Date.now() / 1000) + 600;
    for (const slotIndex of [2, 3]) {
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
    await readBack();
    const { proofs, market } = devnet.contracts;
    await devnet.until(async () => {
      const missed = await proofs.queryFilter(proofs.filters.PeriodMissed(cheat), devnet.book.fromBlock);
      const lost = await market.queryFilter(market.filters.SlotVacated(dealId, 1, cheat), devnet.book.fromBlock);
      return missed.length + lost.length > 0;
    });
  });

  it("refills the slots of a provider that was killed for good, proven elsewhere within three periods, with no owner online", async () => {
    const { market, proofs } = devnet.contracts;
    const evictedIn = await evictionOf(killed);
    await readBack();
    for (const id of await dealsOf(killed)) {
      const healed = await devnet.until(async () => {
        const slots = await market.slots(id);
        return slots.every(({ status, providerId }) => status === FILLED && Number(providerId) !== killed) && slots;
      });
      expect(new Set(healed.map(({ providerId }) => providerId)).size, "distinct providers").to.equal(N);
      for (const { args } of await market.queryFilter(market.filters.SlotFilled(id, 0), devnet.book.fromBlock)) {
        const { providerId, fromPeriod } = args;
        if (Number(providerId) === killed) continue;
        // Who has missed its first period would be waited for until the end of time.
        const isOver = async (): Promise<boolean> => (await devnet.period()) > evictedIn + PERIODS_TO_HEAL;
        await devnet.until(async () => (await proofs.isProven(providerId, fromPeriod)) || (await isOver()));
        expect(await proofs.isProven(providerId, fromPeriod), `provider ${providerId} has proven period ${fromPeriod}`).to.equal(true);
        const [proven] = await proofs.queryFilter(proofs.filters.PeriodProven(providerId, fromPeriod), devnet.book.fromBlock);
        const inPeriod = Number(await proofs.periodOf((await proven?.getBlock())?.timestamp ?? 0));
        console.log(`        evicted in period ${evictedIn}, proven by provider ${providerId} in period ${inPeriod}`);
        expect(inPeriod, "proven elsewhere").to.be.at.most(evictedIn + PERIODS_TO_HEAL);
      }
    }
    await readBack();
  });

  it("heals what the cheat held as well, and moved no more than k + m slots for m", async () => {
    const { market, repair } = devnet.contracts;
    await devnet.until(async () => (await market.slots(dealId)).every(({ status }) => status === FILLED));
    expect((await repairsOf(dealId)).map(({ slotIndex }) => Number(slotIndex))).to.include.members([0, 1]);
    const reservations = await repair.queryFilter(repair.filters.SlotReserved(), devnet.book.fromBlock);
    const calls = new Map<string, string[]>();
    for (const { args, transactionHash } of reservations) calls.set(transactionHash, [...(calls.get(transactionHash) ?? []), args.dealId]);
    let boundBytes = 0;
    for (const [id = "", ...more] of calls.values()) boundBytes += (K + 1 + more.length) * (await slotBytesOf(id));
    let movedBytes = 0;
    for (const { port } of (await devnet.json()).providers) {
      movedBytes += (await countedAt(port, "ppio_repair_read_bytes_total")) + (await countedAt(port, "ppio_repair_sent_bytes_total"));
    }
    const inSlots = (bytes: number): string => (bytes / slotOfObject).toFixed(2);
    const slotOfObject = await slotBytesOf(dealId);
    console.log(
      `        ${reservations.length} slots in ${calls.size} repairs: ${movedBytes} bytes moved, ${inSlots(movedBytes)} slots of the object; ` +
        `k + m for each are ${boundBytes} bytes, ${inSlots(boundBytes)} slots`,
    );
    expect(movedBytes).to.be.greaterThan(0).and.at.most(boundBytes);
  });

  it("goes on with a repair whose provider was killed in the middle of it", async () => {
    const { market, repair } = devnet.contracts;
    await writeFile(devnet.path("big"), randomBytes(16_000_000));
    const { dealId: id } = await devnet.ok<{ dealId: string }>(
      "put",
      devnet.path("big"),
      "ppio://watched/big",
      "--code",
      `${K}/${N}`,
      "--periods",
      "90",
    );
    const holder = await providerOf(Number((await market.slot(id, 2)).providerId));
    // Its disk is gone, and it says so.
    await (await market.connect(withGasMargin(new Wallet(holder.ownerKey, devnet.rpc))).declareLost(id, 2)).wait();
    const reservations = () => repair.queryFilter(repair.filters.SlotReserved(id, 2), devnet.book.fromBlock);
    const [reservation] = await devnet.until(async () => {
      const found = await reservations();
      return found.length > 0 && found;
    });
    const repairer = (await devnet.json()).providers.find(
      ({ operatorKey }) => new Wallet(operatorKey).address === reservation?.args.repairer,
    );
    if (repairer === undefined) throw new Error("reserved by nobody known");
    await devnet.until(async () => (await countedAt(repairer.port, "ppio_repair_read_bytes_total")) > 4_000_000);
    process.kill(await devnet.pidOf(repairer.name), "SIGKILL");
    await devnet.ok("devnet", "restart", repairer.name);
    await devnet.until(async () => (await market.slot(id, 2)).status === FILLED);
    const [repaired] = await repairsOf(id);
    expect(repaired?.repairer).to.equal(reservation?.args.repairer);
    expect((await reservations()).length, "the reservation was gone on with").to.equal(1);
    const size = await slotBytesOf(id);
    expect(await countedAt(repairer.port, "ppio_repair_read_bytes_total"), "after the restart").to.be.lessThan(K * size);
    await expectReadable(devnet, "ppio://watched/big", await readFile(devnet.path("big")));
  });

  it("keeps books that add up to the wei (M1, R1, N2)", async () => {
    const status = await devnet.ok<{ vacant: unknown[]; repairedSlots: number }>("repair", "status");
    expect(status.vacant).to.deep.equal([]);
    expect(status.repairedSlots).to.be.at.least(3);
    expect((await expectBooksToBalance(devnet)).slashedWei).to.be.greaterThan(0n);
    const repairBooks = await readRepairBooks(devnet);
    expect(repairBooks.holds).to.equal(repairBooks.owes);
  });
});
