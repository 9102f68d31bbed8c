/** Every way into a contract, for tests that knock at all of them. */
import { type BaseContract, type ParamType, ZeroAddress } from "ethers";

export interface Door {
  readonly name: string;
  /** A call that decodes and means nothing. */
  readonly data: string;
}

function emptyValue(type: ParamType): unknown {
  if (type.isArray()) return Array.from({ length: Math.max(0, type.arrayLength) }, () => emptyValue(type.arrayChildren));
  if (type.isTuple()) return type.components.map(emptyValue);
  if (type.type === "address") return ZeroAddress;
  if (type.type === "string") return "";
  if (type.type === "bool") return false;
  if (type.type === "bytes") return "0x";
  if (type.type.startsWith("bytes")) return `0x${"00".repeat(Number(type.type.slice(5)))}`;
  return 0n;
}

/** All functions of the contract that may change state. */
export function doorsOf({ interface: abi }: BaseContract): Door[] {
  const doors: Door[] = [];
  abi.forEachFunction((fragment) => {
    if (fragment.constant) return;
    doors.push({ name: fragment.name, data: abi.encodeFunctionData(fragment, fragment.inputs.map(emptyValue)) });
  });
  return doors;
}
