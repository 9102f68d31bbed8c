/**
 * A process that writes through the real store until it is killed: four writers that store, read and delete slots. Every
 * acknowledgement is a line on standard output, written before the next step: `+ID` sealed, `-ID` about to be deleted, `~ID` deleted.
 * Arguments: the folder, the number of this life.
 */
import { writeSync } from "node:fs";
import { createLogger } from "@ppio/daemon";
import { SlotStore } from "@ppio/provider";
import { CAPACITY_BYTES, numberedSlot, WRITERS } from "./numbered-slot.ts";
import { pieces } from "./slot.ts";

const [dir = "", life = "0"] = process.argv.slice(2);
const log = createLogger({ component: "writer", write: () => undefined });
const store = await SlotStore.open({ dir, capacityBytes: CAPACITY_BYTES, log });
const tell = (sign: string, number: number): void => void writeSync(1, `${sign}${number}\n`);

async function write(writer: number): Promise<never> {
  for (let turn = 0; ; turn += 1) {
    const number = (Number(life) * WRITERS + writer) * 10_000 + turn;
    const slot = numberedSlot(number);
    const { uploadId } = slot.meta;
    await store.create(slot.meta);
    await store.append(uploadId, 0, pieces(slot.data, 20_000));
    await store.seal(uploadId, slot.root);
    tell("+", number);
    await store.readCell(uploadId, turn % slot.header.rows);
    // One in three stays.
    if (turn % 3 === 0) continue;
    tell("-", number);
    await store.drop(uploadId);
    tell("~", number);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
