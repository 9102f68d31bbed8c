/** Making a provider known to the chain: the owner registers it, names its operator, and puts collateral down. */
import { PpioError } from "@ppio/core";
import type { ChainContracts } from "@ppio/daemon";
import { id } from "ethers";

export interface RegisterOptions {
  /** Contracts connected to the owner. */
  readonly contracts: ChainContracts;
  readonly owner: { readonly address: string };
  readonly operator: string;
  readonly endpoint: string;
  readonly pricePerGibPeriodWei: bigint;
  readonly capacityBytes: number;
  /** What fails together: a house, a data centre. */
  readonly failureDomain: string;
  readonly collateralWei: bigint;
}

export async function registerProvider(options: RegisterOptions): Promise<number> {
  const { contracts, operator } = options;
  const existing = Number(await contracts.registry.providerOfOperator(operator));
  if (existing !== 0) throw new PpioError("ALREADY_EXISTS", `${operator} operates provider ${existing} already; use another operator key.`);
  const { endpoint, pricePerGibPeriodWei, capacityBytes } = options;
  const response = await contracts.registry.register(operator, endpoint, pricePerGibPeriodWei, capacityBytes, id(options.failureDomain));
  await response.wait();
  const providerId = Number(await contracts.registry.providerOfOperator(operator));
  if (options.collateralWei > 0n) await depositCollateral(contracts, options.owner, providerId, options.collateralWei);
  return providerId;
}

/** @throws NO_FUNDS when the owner does not hold the amount */
export async function depositCollateral(
  contracts: ChainContracts,
  owner: { readonly address: string },
  providerId: number,
  amountWei: bigint,
): Promise<void> {
  const { token, registry } = contracts;
  const balanceWei = await token.balanceOf(owner.address);
  if (balanceWei < amountWei) {
    throw new PpioError(
      "NO_FUNDS",
      `${owner.address} holds ${balanceWei} wei of tokens and the collateral is ${amountWei}; add tokens first.`,
    );
  }
  const registryAt = await registry.getAddress();
  if ((await token.allowance(owner.address, registryAt)) < amountWei) await (await token.approve(registryAt, amountWei)).wait();
  await (await registry.depositCollateral(providerId, amountWei)).wait();
}
