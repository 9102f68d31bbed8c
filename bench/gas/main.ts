/** `npm run bench:gas` prints what the contracts cost; with `-- --update` it also writes the snapshot that CI compares. */
import { CHAINS, shareOfIncome } from "./income.ts";
import { PROOF_BYTES } from "./prove.ts";
import { measureAll } from "./questions.ts";
import { aboveTarget, differences, readSnapshot, writeSnapshot } from "./snapshot.ts";

const figures = await measureAll();
const isUpdate = process.argv.includes("--update");
console.table(
  figures.map(({ name, gas, target }) => ({
    name,
    gas,
    target: target ?? "-",
    share: target === undefined ? "-" : `${((100 * gas) / target).toFixed(1)} %`,
  })),
);

const proof = Math.max(...figures.filter(({ name }) => name.startsWith("prove")).map(({ gas }) => gas));
console.log(`Proofs of a provider of 1 TB, one transaction of ${proof} gas and ${PROOF_BYTES} bytes per period:`);
console.table(
  CHAINS.map((chain) => {
    const { usdPerMonth, shareOfIncome: share, fairTb, fairPeriodHours } = shareOfIncome(chain, proof, PROOF_BYTES);
    const { name, periodHours, executionGwei, blobGweiPerByte } = chain;
    return {
      chain: name,
      "period, h": periodHours,
      "execution, gwei": executionGwei,
      "data, gwei/byte": blobGweiPerByte,
      "USD a month": usdPerMonth.toFixed(2),
      "of income": `${(100 * share).toFixed(1)} %`,
      "TB for 5 %": fairTb.toFixed(1),
      "or period, h": fairPeriodHours.toFixed(1),
    };
  }),
);

if (isUpdate) writeSnapshot(figures);
const problems = [...aboveTarget(figures), ...differences(figures, readSnapshot())];
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);
