/** Verified reads from a provider, over HTTP. */
import { once } from "node:events";
import { open, rm, truncate } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { slotBytes } from "@ppio/core";
import { expect } from "chai";
import { Wallet } from "ethers";
import { codeOf } from "../support/code-of.ts";
import { HEADER } from "../support/provider/slot.ts";
import { verified } from "../support/provider/verified.ts";
import { call, makeUpload, read, startWorld, store, ticketHeaders, type Upload, type World } from "../support/provider/world.ts";
import { removeTemporaryFolders } from "../support/temporary.ts";

const TOTAL = slotBytes(HEADER);

async function flipByte(path: string, at: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Uint8Array.of((byte[0] ?? 0) ^ 0xff), 0, 1, at);
  await handle.close();
}

describe("reading from a provider over HTTP", () => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld();
  });

  afterEach(async () => {
    await world.close();
    await removeTemporaryFolders();
  });

  it("gives any range, every byte verifiable against the root, the head signed", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    for (const [offset, length] of [
      [0, TOTAL],
      [0, 128],
      [4_096, 4_096],
      [3_968, 256],
      [TOTAL - 128, 128],
      [8_192 + 512, 4 * 1_024],
    ] as const) {
      const response = await read(world, upload, offset, length, headers);
      expect(response.status).to.equal(200);
      const bytes = await verified(world, upload, new Uint8Array(await response.arrayBuffer()), offset, length);
      expect(bytes).to.deep.equal(upload.data.slice(offset, offset + length));
    }
  });

  it("gives nothing without the owner's ticket for these cells, now", async () => {
    const upload = await store(world);
    const other = await store(world);
    const audience = Wallet.createRandom();
    const code = async (headers: Record<string, string>, offset = 4_096, length = 8_192): Promise<string> => {
      const response = await read(world, upload, offset, length, headers);
      if (response.status === 200) return "accepted";
      expect(response.status).to.equal(403);
      return ((await response.json()) as { error: { code: string } }).error.code;
    };
    expect(await code({})).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, upload, { signer: Wallet.createRandom() }))).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, other))).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, upload, { change: { expiry: world.expiry() - 601 } }))).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, upload, { change: { firstCell: 2 } }))).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, upload, { change: { cellCount: 2 } }))).to.equal("UNAUTHORIZED");
    expect(await code(await ticketHeaders(world, upload, { change: { firstCell: 1, cellCount: 2 } }))).to.equal("accepted");
    const forOne = await ticketHeaders(world, upload, { audience });
    expect(await code(forOne)).to.equal("accepted");
    expect(await code({ authorization: forOne["authorization"] ?? "" })).to.equal("UNAUTHORIZED");
    const stolen = await ticketHeaders(world, upload, { audience: Wallet.createRandom() });
    expect(await code({ ...forOne, "ppio-audience-signature": stolen["ppio-audience-signature"] ?? "" })).to.equal("UNAUTHORIZED");
    for (const authorization of ["PPIO-Ticket ", "PPIO-Ticket !!!", "Bearer x", `PPIO-Ticket ${"A".repeat(5_000)}`, "PPIO-Ticket e30"]) {
      expect(await code({ authorization }), authorization.slice(0, 20)).to.equal("UNAUTHORIZED");
    }
  });

  it("holds a ticket that it knows already to its time, its cells and its deal", async () => {
    const upload = await store(world);
    const other = await store(world);
    const headers = await ticketHeaders(world, upload, { change: { firstCell: 1, cellCount: 2 } });
    const status = async (from: Upload, offset: number): Promise<number> => (await read(world, from, offset, 128, headers)).status;
    expect(await status(upload, 4_096)).to.equal(200);
    expect(await status(upload, 8_192)).to.equal(200);
    expect(await status(upload, 0)).to.equal(403);
    expect(await status(upload, 3 * 4_096)).to.equal(403);
    expect(await status(other, 4_096)).to.equal(403);
    world.clock.nowMs += 601_000;
    expect(await status(upload, 4_096)).to.equal(403);
  });

  it("says how long an answer is before it comes", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    for (const [offset, length] of [
      [0, TOTAL],
      [128, 256],
      [3_968, 8_448],
      [TOTAL - 256, 256],
    ] as const) {
      const response = await read(world, upload, offset, length, headers);
      const bytes = await response.arrayBuffer();
      expect(response.headers.get("content-length")).to.equal(String(bytes.byteLength));
    }
  });

  it("finds a bit that flips in cells that it served before", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    for (let round = 0; round < 2; round += 1) {
      const bytes = new Uint8Array(await (await read(world, upload, 0, TOTAL, headers)).arrayBuffer());
      expect(await verified(world, upload, bytes, 0, TOTAL)).to.deep.equal(upload.data);
    }
    await flipByte(join(world.dir, "slots", upload.id, "data"), 77);
    expect((await read(world, upload, 0, TOTAL, headers)).status).to.equal(422);
    expect((await read(world, upload, 4_096, 4_096, headers)).status).to.equal(200);
    expect(world.context.store.damagedSlots).to.equal(1);
  });

  it("hashes nothing for a reader that does, and finds what is damaged when that one asks again", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    await flipByte(join(world.dir, "slots", upload.id, "data"), 4_096 + 77);
    const unchecked = await read(world, upload, 0, TOTAL, headers, "reader");
    expect(unchecked.status).to.equal(200);
    const bytes = new Uint8Array(await unchecked.arrayBuffer());
    expect(await codeOf(verified(world, upload, bytes, 0, TOTAL))).to.equal("CORRUPT");
    expect(world.context.store.damagedSlots).to.equal(0);
    expect((await read(world, upload, 4_096, 4_096, headers, "provider")).status).to.equal(422);
    expect(world.context.store.damagedSlots).to.equal(1);
    expect((await read(world, upload, 0, 4_096, headers, "nobody")).status).to.equal(400);
  });

  it("gives no range outside the slot, unaligned, empty or too long", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    for (const [offset, length] of [
      [64, 128],
      [0, 100],
      [0, 0],
      [TOTAL, 128],
      [0, TOTAL + 128],
      [-128, 128],
      ["1e3", 128],
      ["", 128],
    ] as const) {
      const response = await read(world, upload, offset, length, headers);
      expect(response.status, `${offset} ${length}`).to.equal(400);
    }
  });

  it("does not know a slot that is not finished or not there", async () => {
    const upload = await makeUpload(world);
    await call(world, "POST", "/v1/uploads", upload.body);
    const headers = await ticketHeaders(world, upload);
    expect((await read(world, upload, 0, 128, headers)).status).to.equal(404);
    expect((await read(world, { ...upload, slotIndex: 3 }, 0, 128, headers)).status).to.equal(404);
    expect((await read(world, { dealId: "0x12", slotIndex: 3 }, 0, 128, headers)).status).to.equal(400);
  });

  it("sends no byte of a damaged cell: an error at its start, a cut after", async () => {
    const upload = await store(world);
    const headers = await ticketHeaders(world, upload);
    const path = join(world.dir, "slots", upload.id, "data");
    await flipByte(path, 2 * 4_096 + 5);
    const first = await read(world, upload, 2 * 4_096, 128, headers);
    expect(first.status).to.equal(422);
    expect(((await first.json()) as { error: { code: string } }).error.code).to.equal("CORRUPT");
    const later = await read(world, upload, 4_096, 3 * 4_096, headers);
    const body = await later.arrayBuffer().then(
      (bytes) => `complete ${bytes.byteLength}`,
      () => "cut",
    );
    expect(body).to.equal("cut");
    expect((await read(world, upload, 0, 4_096, headers)).status, "whole cells are still served").to.equal(200);
    await truncate(path, 100);
    expect((await read(world, upload, 0, 128, headers)).status).to.equal(422);
    await rm(path);
    expect((await read(world, upload, 0, 128, headers)).status).to.equal(422);
    const metrics = await (await fetch(`${world.url}/v1/metrics`)).text();
    expect(metrics).to.include("ppio_corrupt_cells_total 4").and.include("ppio_damaged_slots 1");
  });

  it("gives a range that is longer than any window, whatever the cells and wherever it begins and ends", async () => {
    const wide = await startWorld({ config: { capacityBytes: 1 << 26, undealtBytesPerPayer: 1 << 26, pricePerGibPeriodWei: 1n } });
    for (const [cellBytes, rows] of [
      [4_096, 900],
      [65_536, 60],
      [1 << 20, 4],
    ] as const) {
      const upload = await store(wide, { ...HEADER, cellBytes, lastCellBytes: 1_152, rows });
      const headers = await ticketHeaders(wide, upload);
      const total = slotBytes(upload.header);
      for (const [offset, end] of [
        [0, total],
        [128, total - 128],
        [cellBytes, (rows - 1) * cellBytes],
        [cellBytes - 128, cellBytes + 128],
      ] as const) {
        const body = new Uint8Array(await (await read(wide, upload, offset, end - offset, headers)).arrayBuffer());
        const bytes = await verified(wide, upload, body, offset, end - offset);
        expect(Buffer.compare(bytes, upload.data.subarray(offset, end)), `${cellBytes}: ${offset} to ${end}`).to.equal(0);
      }
    }
    await wide.close();
  });

  it("gives up a reader that takes nothing, and keeps serving others", async () => {
    const narrow = await startWorld({
      config: { capacityBytes: 1 << 26, undealtBytesPerPayer: 1 << 26 },
      // Long enough for who does take and bring bytes, on a busy machine.
      limits: { readBufferBytes: 1, stallMs: 1_000 },
    });
    const upload = await store(narrow, { ...HEADER, cellBytes: 1 << 20, lastCellBytes: 1 << 20, rows: 16 });
    const headers = await ticketHeaders(narrow, upload);
    const path = `/v1/deals/${upload.dealId}/slots/${upload.slotIndex}?offset=0&length=${16 << 20}`;
    const stuck = httpRequest(`${narrow.url}${path}`, { headers });
    stuck.on("error", () => undefined);
    stuck.end();
    const [answer] = (await once(stuck, "response")) as [NodeJS.ReadableStream];
    answer.pause();
    expect((await read(narrow, upload, 0, 128, headers)).status).to.equal(200);
    stuck.destroy();
    await narrow.close();
  });
});
