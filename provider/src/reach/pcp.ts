/** PCP (RFC 6887): the successor of NAT-PMP on the same port; one message of 60 bytes, the MAP opcode. */
import { isIPv4 } from "node:net";
import { PpioError } from "@ppio/core";
import { plainAddress } from "./addresses.ts";
import type { GatewayAddress, Mapping, PortMapper } from "./mapper.ts";
import { askByUdp } from "./udp.ts";

const VERSION = 2;
const MAP = 1;
const ANSWER = 0x80;
const TCP = 6;
const HEADER_BYTES = 24;
const MESSAGE_BYTES = 60;
const NONCE_BYTES = 12;
const ADDRESS_BYTES = 16;

const REFUSALS: Readonly<Record<number, string>> = {
  1: "does not speak this version of PCP",
  2: "does not allow mappings; switch PCP on in its settings",
  7: "has no address of its own yet; check its connection",
  8: "has no ports left; remove old mappings in its settings",
  9: "does not map TCP ports",
  10: "allows no more mappings for this machine; remove old ones in its settings",
  11: "cannot give this external port; choose another with publicPort",
  12: "sees another address of this machine than its own; it is behind a second router",
};

/** @param nonce 12 bytes, which prove to the router that later messages come from who made the mapping */
export function createPcpMapper(gateway: GatewayAddress, nonce: Uint8Array): PortMapper {
  const ask = (internalPort: number, externalPort: number, lifetimeSeconds: number, signal: AbortSignal): Promise<Buffer> =>
    askByUdp({
      to: gateway,
      message: (local) => {
        const bytes = Buffer.alloc(MESSAGE_BYTES);
        bytes[0] = VERSION;
        bytes[1] = MAP;
        bytes.writeUInt32BE(lifetimeSeconds, 4);
        bytes.set(bytesOf(local), 8);
        bytes.set(nonce, HEADER_BYTES);
        bytes[HEADER_BYTES + NONCE_BYTES] = TCP;
        bytes.writeUInt16BE(internalPort, 40);
        bytes.writeUInt16BE(externalPort, 42);
        // Any external address of the router's will do.
        bytes.set(bytesOf("0.0.0.0"), 44);
        return bytes;
      },
      read: (answer) => checked(answer, nonce),
      signal,
    });
  return {
    protocol: "pcp",
    async map({ internalPort, externalPort, lifetimeSeconds }, signal): Promise<Mapping> {
      const answer = await ask(internalPort, externalPort, lifetimeSeconds, signal);
      return {
        protocol: "pcp",
        gateway: gateway.host,
        internalPort,
        externalPort: answer.readUInt16BE(42),
        externalAddress: textOf(answer.subarray(44, 44 + ADDRESS_BYTES)),
        lifetimeSeconds: answer.readUInt32BE(4),
        epochSeconds: answer.readUInt32BE(8),
      };
    },
    async unmap({ internalPort }, signal) {
      await ask(internalPort, 0, 0, signal);
    },
  };
}

/** Undefined for an answer to something else. @throws REFUSED, BAD_FORMAT */
function checked(answer: Buffer, nonce: Uint8Array): Buffer | undefined {
  if (answer.length < 4) return undefined;
  // A router that speaks NAT-PMP alone says so in its own format.
  if (answer[0] === 0 && ((answer[1] ?? 0) & ANSWER) !== 0) throw refusal(1);
  if (answer[0] !== VERSION || answer[1] !== ANSWER + MAP) return undefined;
  const result = answer[3] ?? 0;
  if (result !== 0) throw refusal(result);
  if (answer.length < MESSAGE_BYTES) throw new PpioError("BAD_FORMAT", "The router's PCP answer is too short.");
  return answer.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES).equals(nonce) ? answer : undefined;
}

function refusal(result: number): PpioError {
  return new PpioError("REFUSED", `The router ${REFUSALS[result] ?? `refuses with code ${result}`} (PCP).`);
}

/** IPv4 as IPv6 shows it: ::ffff:a.b.c.d. */
function bytesOf(address: string): Uint8Array {
  const plain = plainAddress(address);
  if (!isIPv4(plain)) throw new PpioError("NETWORK", "Ports are mapped over IPv4; this machine has no such address towards the router.");
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...plain.split(".").map(Number));
}

function textOf(bytes: Uint8Array): string {
  const isIpv4 = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (isIpv4) return bytes.subarray(12).join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: 8 }, (_, at) => view.getUint16(2 * at).toString(16)).join(":");
}
