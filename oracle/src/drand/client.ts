/** Rounds from drand endpoints. Every signature is verified against the key that the contract holds before anybody sees it. */
import { PpioError, publicKeyForEvm, verifyDrandRound } from "@ppio/core";
import type { Logger } from "@ppio/daemon";
import { getBytes, hexlify } from "ethers";

const TIMEOUT_MS = 3_000;
const BODY_BYTES_MAX = 16 * 1024;
const SIGNATURE = /^[0-9a-f]{96}$/;
const PUBLIC_KEY = /^[0-9a-f]{192}$/;

export interface DrandClientOptions {
  /** Tried in this order, the one that worked last first. */
  readonly urls: readonly string[];
  /** The contract's key, in the layout of EIP-2537, 0x hex. */
  readonly publicKey: string;
  readonly log: Logger;
  readonly fetch?: typeof fetch;
}

export interface DrandClient {
  /** The compressed signature of a round. @throws NETWORK when no endpoint gives a valid one */
  signatureOf(round: number): Promise<Uint8Array>;
}

export function createDrandClient(options: DrandClientOptions): DrandClient {
  const { urls, log } = options;
  const ask = options.fetch ?? fetch;
  const keys = new Map<string, Uint8Array>();
  let preferred = 0;

  const getJson = async (url: string): Promise<Record<string, unknown>> => {
    const response = await ask(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "error" });
    const text = await response.text();
    if (!response.ok || text.length > BODY_BYTES_MAX) throw new PpioError("NETWORK", `${url} answered ${response.status}.`);
    return JSON.parse(text) as Record<string, unknown>;
  };

  /** The endpoint's key, once it is known to be the contract's. */
  const keyOf = async (url: string): Promise<Uint8Array> => {
    const known = keys.get(url);
    if (known !== undefined) return known;
    const { public_key: hex } = await getJson(`${url}/info`);
    if (typeof hex !== "string" || !PUBLIC_KEY.test(hex)) throw new PpioError("BAD_FORMAT", `${url} does not say its key.`);
    const key = getBytes(`0x${hex}`);
    if (hexlify(publicKeyForEvm(key)) !== options.publicKey.toLowerCase()) {
      throw new PpioError("CORRUPT", `${url} is another beacon than the contract's.`);
    }
    keys.set(url, key);
    return key;
  };

  const fetchFrom = async (url: string, round: number): Promise<Uint8Array> => {
    const key = await keyOf(url);
    const body = await getJson(`${url}/public/${round}`);
    if (body["round"] !== round || typeof body["signature"] !== "string" || !SIGNATURE.test(body["signature"])) {
      throw new PpioError("BAD_FORMAT", `${url} does not give round ${round}.`);
    }
    const signature = getBytes(`0x${body["signature"]}`);
    if (!verifyDrandRound(key, round, signature)) throw new PpioError("CORRUPT", `${url} gives a false signature for round ${round}.`);
    return signature;
  };

  return {
    async signatureOf(round) {
      const failures: string[] = [];
      for (let step = 0; step < urls.length; step += 1) {
        const at = (preferred + step) % urls.length;
        const url = urls[at] ?? "";
        try {
          const signature = await fetchFrom(url, round);
          preferred = at;
          return signature;
        } catch (error) {
          failures.push(error instanceof Error ? error.message : String(error));
          log.debug("a beacon endpoint failed", { url, round, error });
        }
      }
      throw new PpioError("NETWORK", `No endpoint gives beacon round ${round}: ${failures.join(" ")}`, { details: { round } });
    },
  };
}
