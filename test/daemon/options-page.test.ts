import { readFile } from "node:fs/promises";
import { describeOptions } from "@ppio/daemon";
import { BEACON_OPTIONS, ORACLE_OPTIONS, VERIFIER_OPTIONS } from "@ppio/oracle";
import { PROVIDER_OPTIONS } from "@ppio/provider";
import { expect } from "chai";

describe("docs/operating/configuration.md", () => {
  it("has the tables of the code", async () => {
    const page = await readFile(new URL("../../docs/operating/configuration.md", import.meta.url), "utf8");
    for (const table of [PROVIDER_OPTIONS, ORACLE_OPTIONS, VERIFIER_OPTIONS, BEACON_OPTIONS])
      expect(page).to.include(describeOptions(table));
  });
});
