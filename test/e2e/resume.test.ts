/** A put whose process is killed while bytes are on the way, and the same command again: what providers have is not sent a second time. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { Devnet, runPpio } from "../support/e2e/devnet.ts";

/** One a slot: a spare that begins because another one is late, on a busy machine, would be sent bytes a second time. */
const PROVIDERS = 4;
const CODE = ["--code", "2/4", "--periods", "60"];
const MIB = 1 << 20;
const OBJECT_BYTES = 64 * MIB;
const SLOT_BYTES = 2 * OBJECT_BYTES;
const KILLED_AT = 24 * MIB;

interface Stored {
  readonly dealId: string;
  readonly resumedBytes: number;
}

describe("A put that is killed in the middle, on a devnet", function () {
  this.timeout(120_000);
  let devnet: Devnet;
  let endpoints: readonly string[];

  before(async () => {
    devnet = await Devnet.start(PROVIDERS);
    const { providers } = await devnet.ok<{ providers: { endpoint: string }[] }>("provider", "ls");
    endpoints = providers.map(({ endpoint }) => endpoint);
  });
  after(() => devnet.stop());

  /** Bytes of slots that all providers have taken since they started. */
  const takenBytes = async (): Promise<number> => {
    const taken = endpoints.map(async (endpoint) => {
      const metrics = await (await fetch(`${endpoint}/v1/metrics`)).text();
      return Number(/^ppio_uploaded_bytes_total (\d+)$/m.exec(metrics)?.[1] ?? 0);
    });
    return (await Promise.all(taken)).reduce((sum, bytes) => sum + bytes, 0);
  };
  const killedAt = async (bytes: number, uri: string): Promise<void> => {
    let child: ChildProcess | undefined;
    const args = ["--home", devnet.home, "put", devnet.path("in"), uri, ...CODE];
    const ended = runPpio(args, undefined, {}, (started) => {
      child = started;
    });
    await devnet.untilReceiving(bytes);
    child?.kill("SIGKILL");
    expect((await ended).status).to.equal(null);
  };
  const expectBack = async (uri: string, bytes: Buffer): Promise<void> => {
    await devnet.ok("get", uri, devnet.path("out"), "--force");
    expect((await readFile(devnet.path("out"))).equals(bytes)).to.equal(true);
  };

  it("goes on where its providers are, and the bytes come back", async () => {
    const bytes = randomBytes(OBJECT_BYTES);
    await writeFile(devnet.path("in"), bytes);
    await killedAt(KILLED_AT, "ppio://resumed/same");
    const { resumedBytes } = await devnet.ok<Stored>("put", devnet.path("in"), "ppio://resumed/same", ...CODE);
    expect(resumedBytes).to.be.within(KILLED_AT / 2, SLOT_BYTES);
    // Of both attempts: what the first one had sent may still have come in after its end. The listing is small.
    expect(await takenBytes()).to.be.within(SLOT_BYTES, SLOT_BYTES + MIB);
    await expectBack("ppio://resumed/same", bytes);
    expect(await readdir(devnet.path("attempts"))).to.deep.equal([]);
  });

  it("begins anew under other keys when the file has changed meanwhile", async () => {
    const bytes = randomBytes(OBJECT_BYTES);
    await writeFile(devnet.path("in"), bytes);
    await killedAt(KILLED_AT, "ppio://resumed/other");
    const [cut] = (await devnet.slotsOnDisks()).filter(({ state }) => state === "receiving");
    bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
    await writeFile(devnet.path("in"), bytes);
    const { dealId, resumedBytes } = await devnet.ok<Stored>("put", devnet.path("in"), "ppio://resumed/other", ...CODE);
    expect(dealId).not.to.equal(cut?.dealId);
    expect(resumedBytes).to.equal(0);
    await expectBack("ppio://resumed/other", bytes);
    expect((await devnet.slotsOnDisks()).filter((slot) => slot.dealId === cut?.dealId)).to.deep.equal([]);
  });
});
