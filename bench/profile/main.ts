/**
 * `npm run bench:profile`: where does the time go? V8's profiles of a client and of sixteen providers while BENCH_MIB (256) are put,
 * then got, three times each at 10/16. A profile counts the clock while a function is on, so on a busy machine only shares hold.
 */
import { join } from "node:path";
import { startNetwork } from "../support/network.ts";
import { mibFromEnvironment } from "../support/numbers.ts";
import { startClient } from "../support/our-client.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { printCosts, readProfiles } from "./report.ts";

const MIB = mibFromEnvironment(256);
const RUNS = 3;
const CODE = { k: 10, n: 16 };
const FUNCTIONS = 25;
const profiler = (folder: string): string[] => ["--cpu-prof", `--cpu-prof-dir=${folder}`];

const folder = await temporaryFolder();
const providers = join(folder.path, "providers");
try {
  const network = await startNetwork({ providers: CODE.n, nodeOptions: profiler(providers).join(" ") });
  try {
    for (const order of ["put", "get"] as const) {
      const client = await startClient(network.home, order, profiler(join(folder.path, order)));
      for (let run = 0; run < RUNS; run += 1) await client.ask(order, { key: `object-${run}`, sizeBytes: MIB * 2 ** 20, ...CODE });
      await client.stop();
    }
  } finally {
    await network.stop();
  }
  for (const order of ["put", "get"]) {
    const [client] = readProfiles(join(folder.path, order));
    if (client === undefined) throw new Error("The client left no profile.");
    const bytes = RUNS * MIB * 2 ** 20;
    printCosts(`client, ${order}`, [client], client, bytes, FUNCTIONS);
    printCosts(`${CODE.n} providers together, ${order}`, readProfiles(providers), client, bytes, FUNCTIONS);
  }
} finally {
  await folder.remove();
}
