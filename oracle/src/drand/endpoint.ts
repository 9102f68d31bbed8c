/**
 * One drand endpoint for the official client: its `ChainClient` over requests that end. What it says of its chain must be the beacon of the
 * contract before any round of it is looked at.
 */
import { PpioError } from "@ppio/core";
import { publicKeyForEvm } from "@ppio/core/drand";
import { type Chain, type ChainClient, type ChainInfo, defaultChainOptions, fetchBeacon, type RandomnessBeacon } from "drand-client";
import { getBytes, hexlify } from "ethers";

/** For an answer, its body included. */
const REQUEST_MS = 3_000;
const BODY_BYTES_MAX = 16 * 1024;
const SCHEME = "bls-unchained-g1-rfc9380";
const SIGNATURE = /^[0-9a-f]{96}$/;
const RANDOMNESS = /^[0-9a-f]{64}$/;
const PUBLIC_KEY = /^[0-9a-f]{192}$/;

export interface EndpointOptions {
  /** With the chain's hash where the endpoint serves several chains. */
  readonly url: string;
  /** The contract's key, in the layout of EIP-2537, 0x hex. */
  readonly publicKey: string;
  readonly fetch: typeof fetch;
}

export class DrandEndpoint {
  readonly url: string;
  readonly #options: EndpointOptions;
  #info: Promise<ChainInfo> | undefined;

  constructor(options: EndpointOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /** The compressed signature of a round, verified by the official client. @throws NETWORK, BAD_FORMAT, CORRUPT */
  async signatureOf(round: number, signal: AbortSignal): Promise<Uint8Array> {
    const { signature } = await this.#verified(round, signal);
    return getBytes(`0x${signature}`);
  }

  async #verified(round: number, signal: AbortSignal): Promise<RandomnessBeacon> {
    const { url } = this;
    const chain: Chain = { baseUrl: url, info: () => this.#chainInfo(signal) };
    await chain.info();
    const get = async (asked: number): Promise<RandomnessBeacon> => parseBeacon(url, asked, await this.#json(`/public/${asked}`, signal));
    const client: ChainClient = { options: defaultChainOptions, chain: () => chain, get, latest: () => get(round) };
    try {
      return await fetchBeacon(client, round);
    } catch (cause) {
      if (cause instanceof PpioError) throw cause;
      throw new PpioError("CORRUPT", `${url} gives a false signature for round ${round}.`, { cause });
    }
  }

  /** Asked once, and again after a failure. */
  #chainInfo(signal: AbortSignal): Promise<ChainInfo> {
    this.#info ??= this.#json("/info", signal).then((body) => parseInfo(this.#options, body));
    this.#info.catch(() => {
      this.#info = undefined;
    });
    return this.#info;
  }

  async #json(path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const at = `${this.url}${path}`;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
    let text: string;
    let response: Response;
    try {
      response = await this.#options.fetch(at, { signal: bounded, redirect: "error" });
      text = await boundedText(response);
    } catch (cause) {
      if (cause instanceof PpioError) throw cause;
      throw new PpioError("NETWORK", `${at} does not answer.`, { cause });
    }
    if (!response.ok) throw new PpioError("NETWORK", `${at} answered ${response.status}.`);
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    } catch {
      // Said below.
    }
    throw new PpioError("BAD_FORMAT", `${at} does not answer with a JSON object.`);
  }
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > BODY_BYTES_MAX) throw new PpioError("TOO_LARGE", `${response.url} answers with more than ${BODY_BYTES_MAX} bytes.`);
  }
  return text;
}

function parseInfo({ url, publicKey }: EndpointOptions, body: Record<string, unknown>): ChainInfo {
  const { public_key: key, schemeID } = body;
  if (typeof key !== "string" || !PUBLIC_KEY.test(key) || schemeID !== SCHEME) {
    throw new PpioError("BAD_FORMAT", `${url} does not serve a beacon of the scheme ${SCHEME}.`);
  }
  if (keyForEvm(url, key) !== publicKey.toLowerCase()) throw new PpioError("CORRUPT", `${url} is another beacon than the contract's.`);
  return body as unknown as ChainInfo;
}

function keyForEvm(url: string, key: string): string {
  try {
    return hexlify(publicKeyForEvm(getBytes(`0x${key}`)));
  } catch (cause) {
    throw new PpioError("BAD_FORMAT", `${url} says a key that is no point of the curve.`, { cause });
  }
}

function parseBeacon(url: string, asked: number, body: Record<string, unknown>): RandomnessBeacon {
  const { round, signature, randomness, previous_signature: previous } = body;
  const isSigned = typeof signature === "string" && SIGNATURE.test(signature) && previous === undefined;
  if (round !== asked || !isSigned || typeof randomness !== "string" || !RANDOMNESS.test(randomness)) {
    throw new PpioError("BAD_FORMAT", `${url} does not give round ${asked}.`);
  }
  return { round: asked, signature, randomness };
}
