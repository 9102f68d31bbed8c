/** What the daemon knows of its reach, in a file beside the slots: `ppio provider check` is another process and reads it there. */
import { join } from "node:path";
import { atomicWriteFile, readJsonFile } from "@ppio/daemon";
import type { MappingState } from "./mapping-keeper.ts";

export interface ReachState {
  readonly version: 1;
  /** Where the daemon listens. */
  readonly url: string;
  readonly mapping: MappingState | { readonly status: "off" };
  /** Of the port for the certificate authority's questions. */
  readonly acmeMapping: MappingState | { readonly status: "off" };
  readonly publishFailure?: string | undefined;
  readonly needsName: boolean;
  readonly dnsFailure?: string | undefined;
  readonly certificateFailure?: string | undefined;
}

export class ReachStateFile {
  readonly #path: string;
  #written = "";

  constructor(dataDir: string) {
    this.#path = join(dataDir, "reach.json");
  }

  /** Undefined when no daemon has run here, or an older one. */
  async read(): Promise<ReachState | undefined> {
    const state = await readJsonFile<ReachState>(this.#path);
    return state?.version === 1 ? state : undefined;
  }

  /** A hint that is made anew at every start: written when it changed. */
  async write(state: ReachState): Promise<void> {
    const text = JSON.stringify(state);
    if (text === this.#written) return;
    await atomicWriteFile(this.#path, text);
    this.#written = text;
  }
}
