/** NAT-PMP (RFC 6886): two messages of 2 and 12 bytes to the router. */
import { PpioError } from "@ppio/core";
import type { GatewayAddress, Mapping, PortMapper } from "./mapper.ts";
import { askByUdp } from "./udp.ts";

export const NAT_PMP_PORT = 5351;
const VERSION = 0;
const ADDRESS = 0;
const MAP_TCP = 2;
const ANSWER = 128;

const REFUSALS: Readonly<Record<number, string>> = {
  1: "does not speak this version of NAT-PMP",
  2: "does not allow mappings; switch NAT-PMP on in its settings",
  3: "has no address of its own yet; check its connection",
  4: "has no ports left; remove old mappings in its settings",
  5: "does not map TCP ports",
};

export function createNatPmpMapper(gateway: GatewayAddress): PortMapper {
  const ask = (bytes: Uint8Array, operation: number, length: number, signal: AbortSignal): Promise<Buffer> =>
    askByUdp({ to: gateway, message: () => bytes, read: (answer) => checked(answer, operation, length), signal });
  const ofMap = (internalPort: number, externalPort: number, lifetimeSeconds: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes[1] = MAP_TCP;
    bytes.writeUInt16BE(internalPort, 4);
    bytes.writeUInt16BE(externalPort, 6);
    bytes.writeUInt32BE(lifetimeSeconds, 8);
    return bytes;
  };
  return {
    protocol: "nat-pmp",
    async map({ internalPort, externalPort, lifetimeSeconds }, signal): Promise<Mapping> {
      const address = await ask(Uint8Array.of(VERSION, ADDRESS), ADDRESS, 12, signal);
      const mapped = await ask(ofMap(internalPort, externalPort, lifetimeSeconds), MAP_TCP, 16, signal);
      return {
        protocol: "nat-pmp",
        gateway: gateway.host,
        internalPort,
        externalPort: mapped.readUInt16BE(10),
        externalAddress: [...address.subarray(8, 12)].join("."),
        lifetimeSeconds: mapped.readUInt32BE(12),
        epochSeconds: mapped.readUInt32BE(4),
      };
    },
    async unmap({ internalPort }, signal) {
      await ask(ofMap(internalPort, 0, 0), MAP_TCP, 16, signal);
    },
  };
}

/** Undefined for an answer to something else. @throws REFUSED, BAD_FORMAT */
function checked(answer: Buffer, operation: number, length: number): Buffer | undefined {
  if (answer.length < 4 || answer[0] !== VERSION || answer[1] !== ANSWER + operation) return undefined;
  const result = answer.readUInt16BE(2);
  if (result !== 0) throw new PpioError("REFUSED", `The router ${REFUSALS[result] ?? `refuses with code ${result}`} (NAT-PMP).`);
  if (answer.length < length) throw new PpioError("BAD_FORMAT", "The router's NAT-PMP answer is too short.");
  return answer;
}
