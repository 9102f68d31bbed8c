/** @ethereumjs/vm: an EVM that shares no code with Hardhat's, to run the same transactions on. */
import { createBlock } from "@ethereumjs/block";
import { Common, Hardfork, Mainnet } from "@ethereumjs/common";
import { createFeeMarket1559Tx } from "@ethereumjs/tx";
import { bytesToHex, createAddressFromString, hexToBytes, type PrefixedHexString } from "@ethereumjs/util";
import { createVM, runTx, type VM } from "@ethereumjs/vm";

const KEY = hexToBytes(`0x${"11".repeat(32)}`);
/** Another account, because a call counts up its nonce. */
const CALLER = createAddressFromString(`0x${"22".repeat(20)}`);
const GAS_LIMIT = 16_000_000n;

export interface Outcome {
  readonly ok: boolean;
  /** Return data, or the reason of a revert. */
  readonly data: string;
}

export class SecondEvm {
  readonly #vm: VM;
  readonly #common: Common;
  #nonce = 0n;
  /** Unix seconds of the block that everything runs in. */
  timestamp: bigint;

  private constructor(vm: VM, common: Common, timestamp: bigint) {
    this.#vm = vm;
    this.#common = common;
    this.timestamp = timestamp;
  }

  static async create(timestamp: bigint): Promise<SecondEvm> {
    const common = new Common({ chain: Mainnet, hardfork: Hardfork.Prague });
    return new SecondEvm(await createVM({ common }), common, timestamp);
  }

  #block() {
    return createBlock(
      { header: { timestamp: this.timestamp, gasLimit: GAS_LIMIT, baseFeePerGas: 7n, number: 1n } },
      { common: this.#common },
    );
  }

  async #run(to: string | undefined, data: string) {
    const fields = { nonce: this.#nonce, gasLimit: GAS_LIMIT, maxFeePerGas: 10n, data: data as PrefixedHexString };
    const tx = createFeeMarket1559Tx(to === undefined ? fields : { ...fields, to: to as PrefixedHexString }, { common: this.#common }).sign(
      KEY,
    );
    this.#nonce += 1n;
    return runTx(this.#vm, { tx, block: this.#block(), skipBalance: true });
  }

  /** Puts a contract on the chain by its creation code. */
  async deploy(creationCode: string): Promise<string> {
    const { createdAddress, execResult } = await this.#run(undefined, creationCode);
    if (createdAddress === undefined || execResult.exceptionError !== undefined) {
      throw new Error(`not deployed: ${execResult.exceptionError?.error}`);
    }
    return createdAddress.toString();
  }

  /** Gas of the whole transaction, as its receipt has it. */
  async send(to: string, data: string): Promise<Outcome & { readonly gasUsed: bigint }> {
    const { execResult, totalGasSpent } = await this.#run(to, data);
    return { ok: execResult.exceptionError === undefined, data: bytesToHex(execResult.returnValue), gasUsed: totalGasSpent };
  }

  async call(to: string, data: string): Promise<Outcome> {
    const { execResult } = await this.#vm.evm.runCall({
      to: createAddressFromString(to),
      caller: CALLER,
      data: hexToBytes(data as PrefixedHexString),
      gasLimit: GAS_LIMIT,
      block: this.#block(),
    });
    return { ok: execResult.exceptionError === undefined, data: bytesToHex(execResult.returnValue) };
  }
}
