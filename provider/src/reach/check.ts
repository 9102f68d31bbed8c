/** The self-test from another process than the daemon, with the daemon's settings; works whether it runs or not, and changes nothing. */
import { PpioError, toPpioError } from "@ppio/core";
import { connectChain, type Logger, readAddressBookFile } from "@ppio/daemon";
import type { ProviderConfig } from "../options.ts";
import { readServedCertificate } from "../tls/certificates.ts";
import type { ServedCertificate } from "./check-tls.ts";
import type { ReachReport } from "./findings.ts";
import { checkReachConfig } from "./options.ts";
import { ReachStateFile } from "./reach-state.ts";
import { runSelfTest } from "./self-test.ts";

/** @throws CONFIG, CHAIN_UNREACHABLE */
export async function checkProvider(config: ProviderConfig, log: Logger, signal: AbortSignal): Promise<ReachReport> {
  checkReachConfig(config);
  const book = await readAddressBookFile(config.network);
  const chain = await connectChain({ book, privateKey: config.privateKey });
  try {
    const operator = chain.wallet;
    if (operator === undefined) throw new PpioError("CONFIG", "The operator's key is missing.");
    const providerId = Number(await chain.registry.providerOfOperator(operator.address));
    if (providerId === 0) {
      throw new PpioError("CONFIG", `${operator.address} operates no provider; register it first with "ppio provider register".`);
    }
    return await runSelfTest({
      chain,
      config,
      domain: { chainId: BigInt(book.chainId), market: book.market },
      operator,
      providerId,
      state: await new ReachStateFile(config.dataDir).read(),
      certificate: await servedCertificate(config, log),
      now: Date.now,
      random: Math.random,
      signal,
    });
  } finally {
    chain.close();
  }
}

async function servedCertificate(config: ProviderConfig, log: Logger): Promise<ServedCertificate> {
  try {
    return (await readServedCertificate({ config, log })) ?? (config.acme ? "none" : undefined);
  } catch (error) {
    return { unreadable: toPpioError(error).message };
  }
}
