/** Commands beside other commands of the same wallet, and amounts that change while they are on the way. */
import { IProviderRegistry__factory, IStorageMarket__factory } from "@ppio/core/interfaces";
import type { ChainContracts } from "@ppio/daemon";
import { expect } from "chai";
import {
  AbstractSigner,
  type Contract,
  ContractTransactionReceipt,
  type ContractTransactionResponse,
  makeError,
  type Provider,
  TransactionReceipt,
  type TransactionRequest,
  type TransactionResponse,
  Wallet,
  ZeroHash,
} from "ethers";
import { askCollateralBack, claimPay, takeCollateral } from "../../cli/src/providers/leave.ts";
import { sendingAs } from "../../cli/src/sending.ts";

const OWNER = Wallet.createRandom().address;
const AT = Wallet.createRandom().address;

/** Whose transactions fail one after the other, and then go through. */
class BusyWallet extends AbstractSigner {
  readonly asked: TransactionRequest[] = [];
  readonly #failures: Error[];

  constructor(...failures: Error[]) {
    super({} as Provider);
    this.#failures = failures;
  }

  override estimateGas = async (): Promise<bigint> => 1_000n;
  override async sendTransaction(request: TransactionRequest): Promise<TransactionResponse> {
    this.asked.push(request);
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    return { hash: "0x01" } as TransactionResponse;
  }
  getAddress = async (): Promise<string> => OWNER;
  connect = (): this => this;
  signTransaction = (): Promise<string> => Promise.reject(new Error("not asked for"));
  signMessage = this.signTransaction;
  signTypedData = this.signTransaction;
}

const taken = (code: "NONCE_EXPIRED" | "REPLACEMENT_UNDERPRICED"): Error => makeError("taken", code, { transaction: "0x" as never });

describe("sending beside other commands of the same wallet", () => {
  it("goes on with the next nonce, each time with room for gas", async () => {
    // The same call, signed by another command in the same moment: one transaction is not two.
    const same = makeError("could not coalesce error", "UNKNOWN_ERROR", {
      error: { code: -32_603, message: "transaction already imported" },
    });
    const wallet = new BusyWallet(taken("NONCE_EXPIRED"), taken("REPLACEMENT_UNDERPRICED"), same);
    expect((await sendingAs(wallet, 0).sendTransaction({ to: AT })).hash).to.equal("0x01");
    expect(wallet.asked).to.deep.equal(Array(4).fill({ to: AT, gasLimit: 1_300n }));
  });

  it("gives up when the nonce is taken every time, and at once for anything else", async () => {
    const busy = new BusyWallet(...Array.from({ length: 40 }, () => taken("NONCE_EXPIRED")));
    expect(await failureOf(busy)).to.include("taken");
    expect(busy.asked.length).to.be.within(5, 20);
    const poor = new BusyWallet(makeError("poor", "INSUFFICIENT_FUNDS", { transaction: "0x" as never }));
    expect(await failureOf(poor)).to.include("poor");
    expect(poor.asked).to.have.length(1);
  });
});

async function failureOf(wallet: BusyWallet): Promise<string> {
  return String(
    await sendingAs(wallet, 0)
      .sendTransaction({ to: AT })
      .catch((error: unknown) => error),
  );
}

/** A mined call of a contract with one event of it. */
function mined(abi: Contract["interface"], event: string, args: readonly unknown[]): ContractTransactionResponse {
  const { data, topics } = abi.encodeEventLog(event, [...args]);
  const log = { address: AT, data, topics, blockHash: ZeroHash, blockNumber: 8, index: 0, removed: false, transactionHash: ZeroHash };
  const from = {
    to: AT,
    from: OWNER,
    contractAddress: null,
    hash: ZeroHash,
    index: 0,
    blockHash: ZeroHash,
    blockNumber: 8,
    logsBloom: "0x",
  };
  const used = { gasUsed: 1n, cumulativeGasUsed: 1n, gasPrice: 1n, blobGasUsed: null, blobGasPrice: null, type: 2, status: 1, root: null };
  const receipt = new TransactionReceipt({ ...from, ...used, logs: [{ ...log, transactionIndex: 0 }] }, {} as Provider);
  return { wait: async () => new ContractTransactionReceipt(abi, {} as Provider, receipt) } as ContractTransactionResponse;
}

describe("what is paid out", () => {
  const market = IStorageMarket__factory.createInterface();
  const registry = IProviderRegistry__factory.createInterface();

  it("is what the chain paid, though more came in since the credit was read", async () => {
    const nothing = { creditOf: async () => 0n, withdraw: () => Promise.reject(new Error("there is nothing")) };
    const contracts = {
      market: { creditOf: async () => 5n, withdraw: async () => mined(market, "Withdrawn", [OWNER, OWNER, 7n]) },
      ...{ challenges: nothing, escrow: nothing },
    };
    const claimed = await claimPay(contracts as unknown as ChainContracts, OWNER);
    expect(claimed).to.deep.equal({ payWei: 7n, bondsWei: 0n, readsWei: 0n });
  });

  it("is what the chain gave of the collateral, though some was slashed just before", async () => {
    const contracts = {
      registry: { withdrawCollateral: async () => mined(registry, "CollateralWithdrawn", [3, OWNER, 90n]) },
    };
    const wei = await takeCollateral(
      {
        contracts: contracts as unknown as ChainContracts,
        rpc: { getBlock: async () => ({ timestamp: 10 }) } as never,
        providerId: 3,
        signal: new AbortController().signal,
        note: () => undefined,
      },
      10,
    );
    expect(wei).to.equal(90n);
  });
});

describe("asking collateral back", () => {
  it("asks for what is left when a miss is reported just then", async () => {
    const record = { collateralWei: 100n, unbondingWei: 0n, unbondingUntil: 0n };
    const asked: bigint[] = [];
    const abi = IProviderRegistry__factory.createInterface();
    let [freeWei, number] = [100n, 3];
    const registry = {
      getProvider: async () => ({ ...record, unbondingUntil: asked.length > 0 ? 77n : 0n }),
      unbondingSeconds: async () => 60n,
      freeCollateral: async () => freeWei,
      startUnbonding: async (providerId: number, wei: bigint) => {
        if (wei > 95n) {
          const data = abi.encodeErrorResult("InsufficientFreeCollateral", [providerId, 95n, wei]);
          throw makeError("execution reverted", "CALL_EXCEPTION", {
            ...{ action: "estimateGas", data, reason: null, transaction: { to: null, data: "0x" }, invocation: null, revert: null },
          });
        }
        asked.push(wei);
        return { wait: async () => null };
      },
    };
    const rpc = {
      getBlock: async () => ({ timestamp: 10 }),
      getBlockNumber: async () => {
        number += 1;
        if (number > 4) freeWei = 95n;
        return number;
      },
    };
    const from = await askCollateralBack({
      contracts: { registry } as unknown as ChainContracts,
      rpc: rpc as never,
      providerId: 3,
      signal: new AbortController().signal,
      note: () => undefined,
    });
    expect(from).to.equal(77);
    expect(asked).to.deep.equal([95n]);
  });
});
