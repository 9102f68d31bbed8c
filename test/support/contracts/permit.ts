/** EIP-2612 permits of the test token. */
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { type AddressLike, resolveAddress, Signature } from "ethers";
import type { PpioToken } from "../../../typechain-types/index.ts";
import { FAR, type NO_PERMIT } from "./parameters.ts";

const PERMIT_TYPES = {
  Permit: ["owner", "spender", "value", "nonce", "deadline"].map((name, at) => ({ name, type: at < 2 ? "address" : "uint256" })),
};

/** The owner's permit with its next nonce, in the form in which the contracts take it. */
export async function signPermit(
  token: PpioToken,
  owner: HardhatEthersSigner,
  spender: AddressLike,
  value: bigint,
): Promise<typeof NO_PERMIT> {
  const { name, version, chainId, verifyingContract } = await token.eip712Domain();
  const message = { owner: owner.address, spender: await resolveAddress(spender), value, nonce: await token.nonces(owner), deadline: FAR };
  const { v, r, s } = Signature.from(await owner.signTypedData({ name, version, chainId, verifyingContract }, PERMIT_TYPES, message));
  return { value, deadline: FAR, v, r, s };
}
