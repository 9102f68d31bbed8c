/**
 * Writes the golden vectors of test/vectors/ from fixed inputs. Run only when a format gets a new version: a change in these files is a
 * change of the protocol. `npm run vectors`
 */
import { writeFile } from "node:fs/promises";
import { vectors } from "../test/support/vectors.ts";

for (const [name, make] of Object.entries(vectors)) {
  const path = new URL(`../test/vectors/${name}.json`, import.meta.url);
  await writeFile(path, `${JSON.stringify(await make(), null, 2)}\n`);
}
