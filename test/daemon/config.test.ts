import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineOptions, describeOptions, environmentName, flagName, resolveConfig } from "@ppio/daemon";
import { expect } from "chai";
import { codeOf, messageOf } from "../support/code-of.ts";
import { removeTemporaryFolders, temporaryFolder } from "../support/temporary.ts";

const TABLE = defineOptions({
  dataDir: { type: "string", help: "folder", default: "data" },
  port: { type: "integer", help: "port", default: "80", max: 65_535 },
  priceWei: { type: "wei", help: "price", default: "5" },
  quiet: { type: "boolean", help: "less", default: "false" },
  privateKey: { type: "string", help: "key", secret: true, default: "0x00" },
});

interface Given {
  readonly flags?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  readonly file?: string;
}

async function resolved(given: Given) {
  const folder = await temporaryFolder();
  const file = join(folder, "settings.json");
  if (given.file !== undefined) await writeFile(file, given.file);
  return resolveConfig(TABLE, {
    flags: given.flags ?? {},
    environment: given.environment ?? {},
    ...(given.file === undefined ? {} : { file }),
  });
}

describe("configuration", () => {
  afterEach(removeTemporaryFolders);

  it("takes the flag over the environment over the file over the default", async () => {
    const file = '{"dataDir":"from file","port":3}';
    const environment = { PPIO_DATA_DIR: "from environment", PPIO_PORT: "2" };
    expect((await resolved({})).dataDir).to.equal("data");
    expect((await resolved({ file })).dataDir).to.equal("from file");
    expect((await resolved({ file, environment })).port).to.equal(2);
    expect((await resolved({ file, environment, flags: { port: "1" } })).port).to.equal(1);
    expect((await resolved({ file, environment, flags: { port: "1" } })).dataDir).to.equal("from environment");
  });

  it("counts an empty variable as unset", async () => {
    expect((await resolved({ environment: { PPIO_PORT: "" }, file: '{"port":7}' })).port).to.equal(7);
  });

  it("gives every type its value", async () => {
    const config = await resolved({ file: '{"priceWei":"123456789012345678901234567890","quiet":true}' });
    expect(config.priceWei).to.equal(123_456_789_012_345_678_901_234_567_890n);
    expect(config.quiet).to.equal(true);
    expect((await resolved({ file: '{"priceWei":7}' })).priceWei).to.equal(7n);
  });

  for (const [what, given, names] of [
    ["a word as number", { flags: { port: "many" } }, ["--port", "many", "whole number"]],
    ["a negative number", { environment: { PPIO_PORT: "-1" } }, ["PPIO_PORT", "whole number"]],
    ["a number beyond its bound", { file: '{"port":65536}' }, ["port", "settings.json", "65535"]],
    ["a number that JSON has rounded", { file: '{"priceWei":100000000000000000001}' }, ["priceWei", "quotes"]],
    ["a half number", { file: '{"port":1.5}' }, ["port", "whole number"]],
    ["no truth value", { file: '{"quiet":"yes"}' }, ["quiet", "true or false"]],
    ["null", { file: '{"dataDir":null}' }, ["dataDir", "null"]],
    ["an object", { file: '{"dataDir":{}}' }, ["dataDir"]],
    ["an unknown setting", { file: '{"prot":1}' }, ["prot", "known are", "port"]],
    ["a setting named like a method", { file: '{"toString":1}' }, ["toString"]],
    ["a file that is not JSON", { file: "port: 1" }, ["settings.json", "not JSON"]],
    ["a file that is a list", { file: "[]" }, ["settings.json", "no JSON object"]],
  ] as const satisfies readonly (readonly [string, Given, readonly string[]])[]) {
    it(`refuses ${what} in one sentence that names the place`, async () => {
      expect(await codeOf(resolved(given))).to.equal("CONFIG");
      const message = await messageOf(resolved(given));
      for (const name of names) expect(message).to.include(name);
      expect(message).not.to.include("\n");
    });
  }

  it("names a missing file and a missing value", async () => {
    expect(await messageOf(resolveConfig(TABLE, { flags: {}, environment: {}, file: "/nowhere/x.json" }))).to.include("/nowhere/x.json");
    const required = defineOptions({ privateKey: { type: "string", help: "key", secret: true } });
    expect(await messageOf(resolveConfig(required, { flags: {}, environment: {} }))).to.include("PPIO_PRIVATE_KEY");
  });

  it("never shows a secret", async () => {
    const message = await messageOf(resolved({ file: '{"privateKey":["0xdeadbeef"]}' }));
    expect(message).to.include("privateKey").and.not.include("deadbeef");
  });

  it("derives names and a table for people", () => {
    expect(flagName("undealtBytesPerPayer")).to.equal("undealt-bytes-per-payer");
    expect(environmentName("undealtBytesPerPayer")).to.equal("PPIO_UNDEALT_BYTES_PER_PAYER");
    expect(describeOptions(TABLE)).to.include("| `port` | `--port` | `PPIO_PORT` | `80` | port |");
  });
});
