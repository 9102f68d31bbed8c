/** The standard parts of the token (ERC-20, EIP-2612, EIP-5267) that the protocol's own interfaces do not repeat. */
import { Contract, type ContractRunner, Signature, type Signer } from "ethers";

const ABI = [
  "function balanceOf(address account) view returns (uint256)",
  "function allowance(address owner, address spender) view returns (uint256)",
  "function nonces(address owner) view returns (uint256)",
  "function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)",
];

const PERMIT_TYPES = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
};

export interface PermitSignature {
  readonly value: bigint;
  /** Unix seconds. */
  readonly deadline: number;
  readonly v: number;
  readonly r: string;
  readonly s: string;
}

export interface TokenContract {
  balanceOf(account: string): Promise<bigint>;
  allowance(owner: string, spender: string): Promise<bigint>;
  signPermit(signer: Signer, spender: string, valueWei: bigint, deadline: number): Promise<PermitSignature>;
}

export function createTokenContract(address: string, runner: ContractRunner): TokenContract {
  const contract = new Contract(address, ABI, runner);
  const call = <T>(name: string, ...values: unknown[]): Promise<T> => contract.getFunction(name).staticCall(...values) as Promise<T>;
  return {
    balanceOf: (account) => call<bigint>("balanceOf", account),
    allowance: (owner, spender) => call<bigint>("allowance", owner, spender),
    async signPermit(signer, spender, valueWei, deadline) {
      const owner = await signer.getAddress();
      const [nonce, domain] = await Promise.all([
        call<bigint>("nonces", owner),
        call<{ name: string; version: string; chainId: bigint }>("eip712Domain"),
      ]);
      const signature = Signature.from(
        await signer.signTypedData(
          { name: domain.name, version: domain.version, chainId: domain.chainId, verifyingContract: address },
          PERMIT_TYPES,
          { owner, spender, value: valueWei, nonce, deadline },
        ),
      );
      return { value: valueWei, deadline, v: signature.v, r: signature.r, s: signature.s };
    },
  };
}
