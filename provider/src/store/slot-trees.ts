/**
 * What sealed slots are read by: their trees, loaded when they are wanted and checked against the slot's root, and built again from the data
 * where the disk spoiled them. Damage that a reader meets is declared here.
 */
import { isPpioError, NODE_BYTES, PpioError } from "@ppio/core";
import { diskError, type Logger } from "@ppio/daemon";
import { BytesCache } from "./bytes-cache.ts";
import { CellReader } from "./cell-reader.ts";
import { HashedCells } from "./hashed-cells.ts";
import { HeldTree } from "./held-tree.ts";
import { type Entry, notHeld } from "./slot-entry.ts";
import type { SlotFiles } from "./slot-files.ts";
import type { SlotMeta } from "./slot-record.ts";

/** About 70 bytes per cell. */
const TREES_BYTES_MAX = 16 << 20;

export interface SlotTreesOptions {
  readonly log: Logger;
  /** Told once per slot and start, when a byte is found that does not match the root. */
  readonly onDamage?: (meta: SlotMeta, error: PpioError) => void;
}

export class SlotTrees {
  readonly #files: SlotFiles;
  readonly #options: SlotTreesOptions;
  readonly #kept = new BytesCache<HeldTree>(TREES_BYTES_MAX);

  constructor(files: SlotFiles, options: SlotTreesOptions) {
    this.#files = files;
    this.#options = options;
  }

  put(uploadId: string, tree: HeldTree): void {
    this.#kept.put(uploadId, tree);
  }

  delete(uploadId: string): void {
    this.#kept.delete(uploadId);
  }

  /** @throws NOT_FOUND, CORRUPT, IO */
  async of(entry: Entry): Promise<HeldTree> {
    const known = this.#kept.get(entry.meta.uploadId);
    if (known !== undefined) return known;
    entry.loading ??= this.#load(entry).finally(() => {
      entry.loading = undefined;
    });
    try {
      return await entry.loading;
    } catch (error) {
      throw this.declare(entry, error);
    }
  }

  async #load(entry: Entry): Promise<HeldTree> {
    const { header } = entry;
    const { uploadId, root } = entry.meta;
    if (root === null) throw new PpioError("NOT_FOUND", "This provider does not hold that slot yet.");
    if (entry.areRootsLost) throw new PpioError("CORRUPT", "The slot's tree and data are damaged on disk.");
    const roots = await this.#files.readRoots(uploadId);
    let tree = roots.length === header.rows * NODE_BYTES ? new HeldTree(header, roots) : undefined;
    if (tree?.root !== root) {
      this.#options.log.warn("a slot's tree is damaged on disk; it is built again from the data", { uploadId });
      tree = await this.#rebuild(entry, root);
      await this.#files.writeRoots(uploadId, tree.roots);
    }
    this.put(uploadId, tree);
    return tree;
  }

  async #rebuild(entry: Entry, root: string): Promise<HeldTree> {
    const hashed = new HashedCells(entry.header);
    try {
      await this.#files.useData(entry.meta.uploadId, "r", (file) => hashed.complete(file));
    } catch (error) {
      // A disk that fails may give them yet.
      entry.areRootsLost = isPpioError(error, "CORRUPT");
      throw error;
    }
    const tree = new HeldTree(entry.header, hashed.roots);
    entry.areRootsLost = tree.root !== root;
    if (entry.areRootsLost) throw new PpioError("CORRUPT", "The slot's tree and data are damaged on disk.");
    return tree;
  }

  /** Opens a sealed slot for reading; the caller closes it. @throws NOT_FOUND, CORRUPT, IO */
  async openCells(entry: Entry): Promise<CellReader> {
    const { uploadId } = entry.meta;
    const tree = await this.of(entry);
    const explain = (error: unknown): unknown => this.declare(entry, diskError(error, this.#files.path(uploadId, "data")));
    try {
      return new CellReader({ file: await this.#files.openData(uploadId, "r"), tree, explain });
    } catch (error) {
      throw explain(error);
    }
  }

  /** Damage is told once per slot. */
  declare(entry: Entry, error: unknown): unknown {
    if (isPpioError(error, "CORRUPT") && entry.isLeaving) return notHeld();
    if (isPpioError(error, "CORRUPT") && !entry.isDamaged) {
      entry.isDamaged = true;
      const { uploadId, dealId, slotIndex } = entry.meta;
      this.#options.log.error("a slot is damaged on disk", { uploadId, dealId, slotIndex, error });
      this.#options.onDamage?.(entry.meta, error);
    }
    return error;
  }
}
