/** `ppio provider …`: set one up, run it, look at it, leave. */
import { connectContracts } from "@ppio/daemon";
import { PROVIDER_OPTIONS, startProvider } from "@ppio/provider";
import type { Command } from "commander";
import { formatTokens } from "../output.ts";
import { ProviderControl } from "../providers/control.ts";
import { describeReport } from "../providers/describe.ts";
import { claimPay } from "../providers/leave.ts";
import { depositCollateral, registerProvider } from "../providers/register.ts";
import { readProviderStatus } from "../providers/status.ts";
import { sendingAs } from "../sending.ts";
import { addDaemonOptions, runDaemon } from "./daemons.ts";
import { type DataDirFlags, dataDirOption, parseAddress, parseEndpoint, parseTokens, parseWhole, tokensOption } from "./numbers.ts";
import { addProviderCheck } from "./provider-check.ts";
import { addExit, addInit } from "./provider-life.ts";
import { refusals, runCommand, runWithClient } from "./runtime.ts";

interface RegisterFlags {
  readonly operator: string;
  readonly endpoint: string;
  readonly price: bigint;
  readonly capacityBytes: number;
  readonly failureDomain: string;
  readonly collateral: bigint;
}

const parseProviderId = parseWhole("The provider id", 1, 0xffffffff);

export function addProviderCommands(program: Command): void {
  const provider = program.command("provider").description("rent out disk space, and look at who does");
  addDaemonOptions(provider.command("start").description("run a provider until it is stopped"), PROVIDER_OPTIONS).action(
    (_flags: unknown, command: Command) => runDaemon(command, "provider", PROVIDER_OPTIONS, startProvider),
  );
  addProviderCheck(provider);
  provider
    .command("register")
    .description("make a provider known; this wallet becomes its owner (cold key)")
    .requiredOption("--operator <address>", "the daemon's own key (hot key)", parseAddress("--operator"))
    .requiredOption("--endpoint <url>", "where customers reach the daemon", parseEndpoint)
    .addOption(tokensOption("--price <tokens>", "per GiB and period", "0.0001"))
    .option("--capacity-bytes <bytes>", "space to rent out", parseWhole("--capacity-bytes", 1), 107_374_182_400)
    .option("--failure-domain <name>", "what fails together: a house, a data centre", "home")
    .addOption(tokensOption("--collateral <tokens>", "put down at once", "0"))
    .action((flags: RegisterFlags, command: Command) =>
      runWithClient(command, async (runtime, { wallet, book, rpc }) => {
        const contracts = connectContracts(book, sendingAs(wallet));
        const { endpoint, operator, capacityBytes, failureDomain } = flags;
        const providerId = await refusals(() =>
          registerProvider({
            contracts,
            owner: wallet,
            operator,
            endpoint,
            pricePerGibPeriodWei: flags.price,
            capacityBytes,
            failureDomain,
            collateralWei: flags.collateral,
          }),
        );
        const coinWei = await rpc.getBalance(operator);
        const hint = coinWei === 0n ? `; send ${operator} some coin for gas before it starts` : "";
        runtime.output.result({ providerId, owner: wallet.address, operator, endpoint }, `registered provider ${providerId}${hint}`);
      }),
    );
  addInit(provider);
  provider
    .command("deposit")
    .description("add collateral")
    .argument("<id>", "provider id", parseProviderId)
    .argument("<tokens>", "amount", parseTokens("The amount"))
    .action((providerId: number, amountWei: bigint, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { wallet, book }) => {
        const contracts = connectContracts(book, sendingAs(wallet));
        await refusals(() => depositCollateral(contracts, wallet, providerId, amountWei));
        const { collateralWei } = await contracts.registry.getProvider(providerId);
        output.result({ providerId, collateralWei }, `provider ${providerId} has ${formatTokens(collateralWei)} of collateral`);
      }),
    );
  provider
    .command("ls")
    .description("list providers")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client }) => {
        const { describeProviders, toListed } = await import("../providers/listing.ts");
        const providers = (await client.listProviders(signal)).map((view) => toListed(view, Date.now()));
        output.result({ providers }, describeProviders(providers));
      }),
    );
  provider
    .command("status")
    .description("how a provider stands: collateral, proofs, misses, slashes, scores, health")
    .argument("[id]", "provider id; the one that runs on the data folder without it", parseProviderId)
    .addOption(dataDirOption())
    .action((providerId: number | undefined, flags: DataDirFlags, command: Command) =>
      providerId === undefined
        ? runCommand(command, async ({ output, signal }) => {
            const control = await ProviderControl.open(flags.dataDir, signal);
            const report = await control.report();
            output.result(report, describeReport(report, control.url));
          })
        : runWithClient(command, async ({ output, signal }, { client, book, rpc }) => {
            const now = await refusals(() => readProviderStatus(connectContracts(book, rpc), book.fromBlock, providerId, signal));
            const { describeStatus } = await import("../providers/listing.ts");
            const status = { ...now, ...(await client.providerStanding(providerId, signal)) };
            output.result(status, describeStatus(status, Date.now()));
          }),
    );
  provider
    .command("damage")
    .description("what is damaged on the disk of the provider that runs here")
    .addOption(dataDirOption())
    .option("--give-up", "give up what is damaged, also when it is much at once: a tenth of each slot's collateral")
    .action((flags: DataDirFlags & { readonly giveUp?: boolean }, command: Command) =>
      runCommand(command, async ({ output, signal }) => {
        const control = await ProviderControl.open(flags.dataDir, signal);
        if (flags.giveUp === true) await control.giveUpDamaged();
        const { damage } = await control.report();
        const held = damage.isHeldBack ? '; nothing is given up before you say so with "--give-up"' : "";
        output.result(damage, damage.damaged.length === 0 ? "no slot is damaged" : `${damage.damaged.join("\n")}${held}`);
      }),
    );
  provider
    .command("claim")
    .description("pay out what the market, answered challenges and paid reads owe to this wallet")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { wallet, book }) => {
        const claimed = await refusals(() => claimPay(connectContracts(book, sendingAs(wallet)), wallet.address));
        output.result(
          claimed,
          `paid out ${formatTokens(claimed.payWei)} of pay, ${formatTokens(claimed.bondsWei)} of bonds and ${formatTokens(claimed.readsWei)} for reads`,
        );
      }),
    );
  addExit(provider);
}
