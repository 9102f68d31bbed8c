/** A chain inside this process to deploy on, whose connection counts transactions and breaks to order. */
import type { EIP1193Provider } from "@nomicfoundation/ignition-core";
import hre from "hardhat";

/** How a transaction is lost: before it reaches the node, after it did but before the answer, or after its answer was heard. */
export type Break = "before" | "unheard" | "after";

export class DeployChain {
  readonly provider: EIP1193Provider;
  readonly #close: () => Promise<void>;
  sent = 0;
  gasUsed = 0n;
  /** The transaction with this number breaks the connection for good. */
  breakAt: number | undefined;
  breakHow: Break = "before";
  #isDown = false;

  private constructor(node: EIP1193Provider, close: () => Promise<void>) {
    this.#close = close;
    this.provider = { request: (request) => this.#request(node, request) };
  }

  static async start(): Promise<DeployChain> {
    const connection = await hre.network.create();
    return new DeployChain(connection.provider, () => connection.close());
  }

  /** As a new run would find it. */
  reconnect(): void {
    this.#isDown = false;
    this.breakAt = undefined;
    this.sent = 0;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #request(node: EIP1193Provider, request: Parameters<EIP1193Provider["request"]>[0]): Promise<unknown> {
    if (this.#isDown) throw new Error("connection lost");
    // One account is enough, and the first signs.
    if (request.method !== "eth_sendTransaction") return node.request(request);
    this.sent += 1;
    const breaks = this.sent === this.breakAt;
    if (breaks) this.#isDown = true;
    if (breaks && this.breakHow === "before") throw new Error("connection lost");
    const hash = await node.request(request);
    const receipt = (await node.request({ method: "eth_getTransactionReceipt", params: [hash] })) as { readonly gasUsed: string };
    this.gasUsed += BigInt(receipt.gasUsed);
    if (breaks && this.breakHow === "unheard") throw new Error("connection lost");
    return hash;
  }
}
