/** `ppio provider …`: run one, register one, look at them. */
import { withGasMargin } from "@ppio/core";
import { connectContracts } from "@ppio/daemon";
import { PROVIDER_OPTIONS, startProvider } from "@ppio/provider";
import { type Command, Option } from "commander";
import { formatBytes, formatTokens, table } from "../output.ts";
import { depositCollateral, registerProvider } from "../providers/register.ts";
import { describeScore, readScoreHistory, readScores, type ScoreHistoryEntry } from "../providers/scores.ts";
import { type ProviderStatus, readProviderStatus } from "../providers/status.ts";
import { addDaemonOptions, runDaemon } from "./daemons.ts";
import { parseAddress, parseEndpoint, parseTokens, parseWhole } from "./numbers.ts";
import { refusals, runWithClient } from "./runtime.ts";

interface RegisterFlags {
  readonly operator: string;
  readonly endpoint: string;
  readonly price: bigint;
  readonly capacityBytes: number;
  readonly failureDomain: string;
  readonly collateral: bigint;
}

const parseProviderId = parseWhole("The provider id", 1, 0xffffffff);

/** An amount whose default is shown as it would be typed. */
function tokensOption(flags: string, description: string, byDefault: string): Option {
  const parse = parseTokens(flags.split(" ")[0] ?? flags);
  return new Option(flags, description).argParser(parse).default(parse(byDefault), byDefault);
}

export function addProviderCommands(program: Command): void {
  const provider = program.command("provider").description("rent out disk space, and look at who does");
  addDaemonOptions(provider.command("start").description("run a provider until it is stopped"), PROVIDER_OPTIONS).action(
    (_flags: unknown, command: Command) => runDaemon(command, "provider", PROVIDER_OPTIONS, startProvider),
  );
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
        const contracts = connectContracts(book, withGasMargin(wallet));
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
  provider
    .command("deposit")
    .description("add collateral")
    .argument("<id>", "provider id", parseProviderId)
    .argument("<tokens>", "amount", parseTokens("The amount"))
    .action((providerId: number, amountWei: bigint, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output }, { wallet, book }) => {
        const contracts = connectContracts(book, withGasMargin(wallet));
        await refusals(() => depositCollateral(contracts, wallet, providerId, amountWei));
        const { collateralWei } = await contracts.registry.getProvider(providerId);
        output.result({ providerId, collateralWei }, `provider ${providerId} has ${formatTokens(collateralWei)} of collateral`);
      }),
    );
  provider
    .command("ls")
    .description("list providers")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { client, book, rpc }) => {
        const listed = await client.listProviders(signal);
        const scores = await refusals(() =>
          readScores(
            book,
            rpc,
            listed.map(({ providerId }) => providerId),
          ),
        );
        const providers = listed.map((provider) => ({ ...provider, score: scores.get(provider.providerId) }));
        const rows = providers.map((p) => [
          String(p.providerId),
          p.endpoint,
          formatTokens(p.pricePerGibPeriodWei),
          p.info === undefined ? "-" : formatBytes(p.info.freeBytes),
          formatTokens(p.collateralWei),
          describeScore(p.score),
          p.problem ?? "ok",
        ]);
        const head = ["id", "endpoint", "per GiB and period", "free", "collateral", "service", "state"];
        output.result({ providers }, rows.length === 0 ? "no providers" : table(head, rows));
      }),
    );
  provider
    .command("status")
    .description("a provider's standing: collateral, proofs, misses, health")
    .argument("<id>", "provider id", parseProviderId)
    .action((providerId: number, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ output, signal }, { book, rpc }) => {
        const status = await refusals(() => readProviderStatus(connectContracts(book, rpc), book.fromBlock, providerId, signal));
        const scores = await refusals(() => readScoreHistory(book, rpc, providerId));
        output.result({ ...status, scores }, describeStatus(status, scores));
      }),
    );
}

function describeStatus(status: ProviderStatus, scores: readonly ScoreHistoryEntry[]): string {
  return [
    `provider    ${status.providerId} at ${status.endpoint} (${status.health})`,
    `owner       ${status.owner}`,
    `operator    ${status.operator}, epoch ${status.operatorEpoch}`,
    `collateral  ${formatTokens(status.collateralWei)}, of which ${formatTokens(status.lockedWei)} locked by slots`,
    `credits     ${formatTokens(status.creditWei)} (of the owner)`,
    `proofs      ${status.provenPeriods} periods proven, ${status.missedPeriods} missed, ${formatTokens(status.slashedWei)} slashed`,
    `repairs     ${status.repairedSlots} vacant slots rebuilt for ${formatTokens(status.premiumsWei)}`,
    `service     ${describeScore(scores.at(-1))} of 10000, ${scores.length} scores by the verifiers`,
    status.evictedAtPeriod === 0
      ? `standing    ${status.incidentMisses === 0 ? "good" : `in business; newest incident: ${status.incidentMisses} missed periods`}`
      : `standing    evicted in period ${status.evictedAtPeriod}`,
  ].join("\n");
}
