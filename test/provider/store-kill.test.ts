import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { slotBytes } from "@ppio/core";
import { createLogger } from "@ppio/daemon";
import { SlotStore } from "@ppio/provider";
import { expect } from "chai";
import { CAPACITY_BYTES, NUMBERED_HEADER, numberedSlot } from "../support/provider/numbered-slot.ts";
import { drawer } from "../support/provider/store-chaos.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const KILLS = Number(process.env["STORE_KILLS"] ?? 10);
const LINES_MAX = 60;
/** Life, death and look of one process on a busy machine. */
const KILL_MS_MAX = 15_000;
const WRITER = fileURLToPath(new URL("../support/provider/store-writer.ts", import.meta.url));
const log = createLogger({ component: "test", write: () => undefined });

/** Lets a process write until it has told `lines` things, kills it in the middle of the rest, and gives all that it had told. */
async function lifeOf(dir: string, life: number, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [WRITER, dir, String(life)], { stdio: ["ignore", "pipe", "inherit"] });
  const told: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    told.push(line);
    if (told.length === lines) child.kill("SIGKILL");
  });
  const [[code, signal]] = await Promise.all([once(child, "exit"), once(reader, "close")]);
  expect({ code, signal }, "it lived until it was killed").to.deep.equal({ code: null, signal: "SIGKILL" });
  return told;
}

describe("slot store of a process that is killed", () => {
  afterEach(removeTemporaryFolders);

  it(`has every acknowledged slot after each of ${KILLS} kills, and nothing more`, async function () {
    if (KILLS === 0) this.skip();
    this.timeout(KILL_MS_MAX * KILLS);
    const draw = drawer(7);
    const dir = join(await temporaryFolder(), "slots");
    const owed = new Set<number>();
    let acknowledged = 0;
    for (let life = 1; life <= KILLS; life += 1) {
      const undecided = new Set<number>();
      for (const line of await lifeOf(dir, life, 1 + draw(LINES_MAX))) {
        const number = Number(line.slice(1));
        if (line.startsWith("+")) acknowledged += 1;
        if (line.startsWith("+")) owed.add(number);
        if (line.startsWith("-") || line.startsWith("~")) owed.delete(number);
        if (line.startsWith("-")) undecided.add(number);
        if (line.startsWith("~")) undecided.delete(number);
      }
      const store = await SlotStore.open({ dir, capacityBytes: CAPACITY_BYTES, log });
      for (const number of owed) await expectWhole(store, number);
      const known = new Set([...owed, ...undecided].map((number) => numberedSlot(number).meta.uploadId));
      for (const { uploadId, state } of store.list()) {
        if (known.has(uploadId)) continue;
        // Under way when the kill came: four at most, unfinished, or finished with its answer unheard.
        expect(["receiving", "sealed"]).to.include(state);
        known.add(uploadId);
        await store.drop(uploadId);
      }
      expect(known.size - owed.size).to.be.lessThan(undecided.size + 5);
      for (const number of undecided) await store.drop(numberedSlot(number).meta.uploadId);
      expect(store.usedBytes).to.equal(owed.size * slotBytes(NUMBERED_HEADER));
      expect(await readdir(dir)).to.have.length(owed.size);
      // Old ones go, so that each look stays short.
      for (const number of [...owed].slice(0, Math.max(0, owed.size - 20))) {
        await store.drop(numberedSlot(number).meta.uploadId);
        owed.delete(number);
      }
    }
    if (KILLS > 10) console.log(JSON.stringify({ kills: KILLS, acknowledged }));
    expect(acknowledged).to.be.greaterThan(KILLS);
  });
});

async function expectWhole(store: SlotStore, number: number): Promise<void> {
  const { meta, data, header } = numberedSlot(number);
  expect(store.find(meta.uploadId)?.meta.state, `slot ${number}`).to.equal("sealed");
  const cells: Uint8Array[] = [];
  for (let row = 0; row < header.rows; row += 1) cells.push(await store.readCell(meta.uploadId, row));
  expect(Buffer.concat(cells).equals(data), `slot ${number}`).to.equal(true);
}
