/** `ppio provider init` and `ppio provider exit`: the beginning and the end of a provider. */
import { join, resolve } from "node:path";
import { PpioError } from "@ppio/core";
import { connectContracts } from "@ppio/daemon";
import type { Command } from "commander";
import { readWalletFile } from "../home.ts";
import { formatTokens } from "../output.ts";
import { ProviderControl } from "../providers/control.ts";
import { exitProvider } from "../providers/exit.ts";
import { initProvider } from "../providers/init.ts";
import { sendingAs } from "../sending.ts";
import { type DataDirFlags, dataDirOption, parseEndpoint, parseWhole, tokensOption } from "./numbers.ts";
import { refusals, runWithClient } from "./runtime.ts";

interface InitFlags extends DataDirFlags {
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  readonly price: bigint;
  readonly capacityBytes: number;
  readonly failureDomain: string;
  readonly collateral: bigint;
  readonly gas: bigint;
}

export function addInit(provider: Command): void {
  provider
    .command("init")
    .description("make an operator's key and settings, register with this wallet as the owner, put collateral down")
    .requiredOption("--endpoint <url>", "where customers reach the daemon", parseEndpoint)
    .addOption(dataDirOption())
    .option("--host <address>", "address to listen on", "0.0.0.0")
    .option("--port <port>", "port to listen on", parseWhole("--port", 1, 65_535), 4100)
    .addOption(tokensOption("--price <tokens>", "per GiB and period", "0.0001"))
    .option("--capacity-bytes <bytes>", "space to rent out", parseWhole("--capacity-bytes", 1), 107_374_182_400)
    .option("--failure-domain <name>", "what fails together: a house, a data centre", "home")
    .addOption(tokensOption("--collateral <tokens>", "put down at once", "1000"))
    .addOption(tokensOption("--gas <coin>", "coin of this wallet for the operator's transactions", "1"))
    .action((flags: InitFlags, command: Command) =>
      runWithClient(command, async ({ home, network, output }, { wallet, book, rpc }) => {
        const dataDir = resolve(flags.dataDir);
        const { host, port, capacityBytes, failureDomain, endpoint } = flags;
        const addressBook = resolve(network ?? (await readWalletFile(home)).network);
        const settings = { dataDir, network: addressBook, host, port, capacityBytes, pricePerGibPeriodWei: String(flags.price) };
        const result = await refusals(() =>
          initProvider({
            contracts: connectContracts(book, sendingAs(wallet)),
            rpc,
            owner: wallet,
            file: join(dataDir, "config.json"),
            settings,
            failureDomain,
            endpoint,
            collateralWei: flags.collateral,
            gasWei: flags.gas,
            note: output.note,
          }),
        );
        const text = [
          `provider ${result.providerId} is registered with ${formatTokens(result.collateralWei)} of collateral`,
          `settings and the operator's key: ${result.file} (keep it safe, and to yourself)`,
          `next: ppio provider start --config ${result.file}`,
        ];
        output.result(result, text.join("\n"));
      }),
    );
}

interface ExitFlags extends DataDirFlags {
  readonly deadline?: number;
  readonly cancel?: boolean;
}

export function addExit(provider: Command): void {
  provider
    .command("exit")
    .description("leave: move all slots to other providers, then take the collateral and the pay; may be interrupted and run again")
    .argument("[id]", "provider id, when it does not run here any more", parseWhole("The provider id", 1, 0xffffffff))
    .addOption(dataDirOption())
    .option("--deadline <seconds>", "stop waiting after so long; the provider itself goes on", parseWhole("--deadline", 1))
    .option("--cancel", "stay after all; what was moved is moved")
    .action((id: number | undefined, flags: ExitFlags, command: Command) =>
      runWithClient(command, async ({ output, signal }, { wallet, book, rpc }) => {
        const control = await ProviderControl.find(flags.dataDir, signal);
        if (flags.cancel === true) {
          if (control === undefined) throw new PpioError("NOT_FOUND", `No provider runs on ${flags.dataDir}.`);
          await control.cancelExit();
          output.result({ cancelled: true }, "the provider stays");
          return;
        }
        const providerId = id ?? (control === undefined ? undefined : (await control.report()).providerId);
        if (providerId === undefined) {
          throw new PpioError("USAGE", `No provider runs on ${flags.dataDir}; start it, or give its id when it holds nothing any more.`);
        }
        const contracts = connectContracts(book, sendingAs(wallet));
        const { owner } = await contracts.registry.getProvider(providerId);
        if (owner !== wallet.address) {
          throw new PpioError("UNAUTHORIZED", `Provider ${providerId} belongs to ${owner}; run this with its wallet.`);
        }
        let told = "";
        const result = await refusals(() =>
          exitProvider({
            ...{ contracts, rpc, providerId, control, owner, signal, note: output.note, now: Date.now },
            deadlineMs: flags.deadline === undefined ? Number.POSITIVE_INFINITY : Date.now() + flags.deadline * 1000,
            onProgress: (moved, total) => {
              const line = `${moved} of ${total} slots moved`;
              if (line !== told) output.note(line);
              told = line;
            },
          }),
        );
        const text = `provider ${providerId} has left: ${formatTokens(result.collateralWei)} of collateral and ${formatTokens(result.payWei + result.bondsWei + result.readsWei)} of pay are in ${owner}`;
        output.result(result, text);
      }),
    );
}
