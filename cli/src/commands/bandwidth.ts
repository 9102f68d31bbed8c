/** `ppio bandwidth deposit|status|max-price|withdraw`: the reserve that pays for reads. */
import { PpioError } from "@ppio/core";
import { connectContracts } from "@ppio/daemon";
import type { Command } from "commander";
import { type BandwidthStatus, depositBandwidth, readBandwidthStatus, withdrawBandwidth } from "../client/pay-account.ts";
import { payStoreOf } from "../client/pay-store.ts";
import { formatTokens, table } from "../output.ts";
import { sendingAs } from "../sending.ts";
import { parseTokens, parseWhole, tokensOption } from "./numbers.ts";
import { refusals, runWithClient } from "./runtime.ts";

const DAY_SECONDS = 86_400;
const KEY_DAYS_MAX = 365;
const KEY_DAYS = 90;

interface DepositFlags {
  readonly bond: bigint;
  readonly maxPrice: bigint;
  readonly keyDays: number;
}

export function addBandwidthCommands(program: Command): void {
  const bandwidth = program.command("bandwidth").description("the reserve that pays providers for reads, by vouchers");
  bandwidth
    .command("deposit")
    .description("add to the reserve, and let a session key of this machine sign vouchers on it")
    .argument("<tokens>", "added to the reserve", parseTokens("The amount"))
    .addOption(tokensOption("--bond <tokens>", "bond to have at least; it is lost when more is signed than the reserve holds", "1"))
    .addOption(tokensOption("--max-price <tokens>", "dearest GiB that is paid; others are asked first", "0.1"))
    .option("--key-days <days>", "how long the session key lasts", parseWhole("--key-days", 1, KEY_DAYS_MAX), KEY_DAYS)
    .action((amountWei: bigint, flags: DepositFlags, command: Command) => deposit(command, amountWei, flags));
  bandwidth
    .command("status")
    .description("reserve, bond, session key, and what is owed to whom")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ home, output }, { wallet, book, rpc }) => {
        const record = await payStoreOf(home, book).read();
        const status = await refusals(() => readBandwidthStatus(connectContracts(book, rpc), wallet.address, record));
        output.result(status, describeStatus(status));
      }),
    );
  bandwidth
    .command("max-price")
    .description("dearest GiB that is paid from now on")
    .argument("<tokens>", "per GiB", parseTokens("The price"))
    .action((maxPricePerGibWei: bigint, _flags: unknown, command: Command) =>
      runWithClient(command, async ({ home, output }, { book }) => {
        await payStoreOf(home, book).change((record) => {
          if (record === undefined) throw new PpioError("NOT_FOUND", 'There is no reserve yet; "ppio bandwidth deposit" makes one.');
          return { ...record, maxPricePerGibWei };
        });
        output.result({ maxPricePerGibWei }, `reads are paid up to ${formatTokens(maxPricePerGibWei)} per GiB`);
      }),
    );
  bandwidth
    .command("withdraw")
    .description("take reserve and bond back: ends the session key and asks; run it again when the delay has passed")
    .action((_flags: unknown, command: Command) =>
      runWithClient(command, async ({ home, output }, { wallet, book, rpc }) => {
        const record = await payStoreOf(home, book).read();
        const contracts = connectContracts(book, sendingAs(wallet));
        const result = await refusals(async () => {
          const block = await rpc.getBlock("latest");
          return await withdrawBandwidth(contracts, wallet.address, record, block?.timestamp ?? 0);
        });
        const { reserveWei, bondWei, ripeAt } = result;
        const what = `${formatTokens(reserveWei)} of reserve and ${formatTokens(bondWei)} of bond`;
        const text =
          ripeAt === undefined
            ? `${what} are in ${wallet.address}`
            : `${what} were asked for; run "ppio bandwidth withdraw" again from ${new Date(ripeAt * 1000).toISOString()} on`;
        output.result(result, text);
      }),
    );
}

function deposit(command: Command, amountWei: bigint, flags: DepositFlags): Promise<void> {
  return runWithClient(command, async ({ home, output }, { wallet, book }) => {
    const keySeconds = flags.keyDays * DAY_SECONDS;
    await refusals(() =>
      depositBandwidth({ home, book, wallet, amountWei, bondWei: flags.bond, maxPricePerGibWei: flags.maxPrice, keySeconds }),
    );
    const contracts = connectContracts(book, wallet);
    const store = payStoreOf(home, book);
    const status = await refusals(async () => readBandwidthStatus(contracts, wallet.address, await store.read()));
    output.result(status, describeStatus(status));
  });
}

function describeStatus(status: BandwidthStatus): string {
  const { streams } = status;
  const lines = [
    `payer        ${status.payer}`,
    `reserve      ${formatTokens(status.reserveWei)}, of which vouchers may draw ${formatTokens(status.openWei)}`,
    `bond         ${formatTokens(status.bondWei)}`,
    status.sessionKey === undefined
      ? 'session key  none here; "ppio bandwidth deposit" authorises one'
      : `session key  ${status.sessionKey} until ${new Date(status.keyExpiry * 1000).toISOString()}`,
    `highest price  ${formatTokens(status.maxPricePerGibWei)} per GiB`,
    ...(status.ripeAt === 0
      ? []
      : [
          `withdrawal   ${formatTokens(status.requestedReserveWei + status.requestedBondWei)} from ${new Date(status.ripeAt * 1000).toISOString()} on`,
        ]),
  ];
  const rows = streams.map(({ payee, owedWei, redeemedWei, lostWei }) => [
    payee,
    formatTokens(owedWei),
    formatTokens(redeemedWei),
    formatTokens(lostWei),
  ]);
  return rows.length === 0
    ? lines.join("\n")
    : `${lines.join("\n")}\n\n${table(["payee", "owed in all", "redeemed", "lost on the way"], rows)}`;
}
