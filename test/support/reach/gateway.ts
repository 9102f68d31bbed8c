/** A router on loopback: NAT-PMP and PCP on one UDP port, SSDP on another, UPnP's SOAP over HTTP. It does what a test tells it to. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface GatewayBehaviour {
  speaks: readonly ("nat-pmp" | "pcp" | "upnp")[];
  externalAddress: string;
  /** Refuses with this code of the protocol. */
  refusal: number;
  /** Gives this port, whatever was asked. */
  otherPort: number | undefined;
  /** Gives at most this. */
  lifetimeMax: number;
  /** Ports that somebody else has (UPnP). */
  taken: ReadonlySet<number>;
  permanentOnly: boolean;
  /** Datagrams that get lost before one is answered. */
  loses: number;
  serviceType: string;
  /** Host by which the search's answer names the description, and by which that names the control address. */
  locationHost: string;
  controlHost: string;
}

export interface MappedPort {
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetimeSeconds: number;
}

export class SimulatedGateway {
  readonly behaviour: GatewayBehaviour = {
    speaks: ["nat-pmp", "pcp", "upnp"],
    externalAddress: "203.0.113.7",
    refusal: 0,
    otherPort: undefined,
    lifetimeMax: 7_200,
    taken: new Set(),
    permanentOnly: false,
    loses: 0,
    serviceType: "urn:schemas-upnp-org:service:WANIPConnection:1",
    locationHost: "127.0.0.1",
    controlHost: "127.0.0.1",
  };
  /** By internal port. */
  readonly mapped = new Map<number, MappedPort>();
  /** What was asked, in order: protocol and internal port. */
  readonly asked: string[] = [];
  epoch = 1_000;
  readonly #udp: Socket;
  readonly #ssdp: Socket;
  readonly #soap: Server;

  private constructor(udp: Socket, ssdp: Socket, soap: Server) {
    this.#udp = udp;
    this.#ssdp = ssdp;
    this.#soap = soap;
    udp.on("message", (message, from) => {
      const answer = this.#answer(message);
      if (answer !== undefined) udp.send(answer, from.port, from.address);
    });
    ssdp.on("message", (message, from) => {
      if (!this.behaviour.speaks.includes("upnp") || !message.toString().startsWith("M-SEARCH")) return;
      const at = `http://${this.behaviour.locationHost}:${this.#soapPort}/root.xml`;
      ssdp.send(`HTTP/1.1 200 OK\r\nST: x\r\nLocation: ${at}\r\n\r\n`, from.port, from.address);
    });
    soap.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<SimulatedGateway> {
    const [udp, ssdp, soap] = [createSocket("udp4"), createSocket("udp4"), createServer()];
    udp.bind(0, "127.0.0.1");
    ssdp.bind(0, "127.0.0.1");
    soap.listen(0, "127.0.0.1");
    await Promise.all([once(udp, "listening"), once(ssdp, "listening"), once(soap, "listening")]);
    return new SimulatedGateway(udp, ssdp, soap);
  }

  /** Of NAT-PMP and PCP. */
  get port(): number {
    return this.#udp.address().port;
  }

  get ssdpPort(): number {
    return this.#ssdp.address().port;
  }

  get #soapPort(): number {
    return (this.#soap.address() as AddressInfo).port;
  }

  /** Loses all that it knew. */
  restart(): void {
    this.epoch = 1;
    this.mapped.clear();
  }

  async stop(): Promise<void> {
    this.#udp.close();
    this.#ssdp.close();
    this.#soap.closeAllConnections();
    this.#soap.close();
    await once(this.#soap, "close");
  }

  #answer(message: Buffer): Buffer | undefined {
    if (this.behaviour.loses > 0) {
      this.behaviour.loses -= 1;
      return undefined;
    }
    if (message[0] === 2) return this.#pcp(message);
    return message[0] === 0 && this.behaviour.speaks.includes("nat-pmp") ? this.#natPmp(message) : undefined;
  }

  #grant(internalPort: number, externalPort: number, lifetime: number): MappedPort {
    const { otherPort, lifetimeMax } = this.behaviour;
    const given = { internalPort, externalPort: otherPort ?? externalPort, lifetimeSeconds: Math.min(lifetime, lifetimeMax) };
    if (lifetime === 0) this.mapped.delete(internalPort);
    else this.mapped.set(internalPort, given);
    return given;
  }

  #natPmp(message: Buffer): Buffer {
    const isMap = message[1] === 2;
    const answer = Buffer.alloc(isMap ? 16 : 12);
    answer[1] = 128 + (message[1] ?? 0);
    answer.writeUInt16BE(this.behaviour.refusal, 2);
    answer.writeUInt32BE(this.epoch, 4);
    if (!isMap) {
      answer.set(this.behaviour.externalAddress.split(".").map(Number), 8);
      return answer;
    }
    this.asked.push(`nat-pmp ${message.readUInt16BE(4)}`);
    if (this.behaviour.refusal !== 0) return answer;
    const given = this.#grant(message.readUInt16BE(4), message.readUInt16BE(6), message.readUInt32BE(8));
    answer.writeUInt16BE(given.internalPort, 8);
    answer.writeUInt16BE(given.externalPort, 10);
    answer.writeUInt32BE(given.lifetimeSeconds, 12);
    return answer;
  }

  #pcp(message: Buffer): Buffer | undefined {
    if (!this.behaviour.speaks.includes("pcp")) {
      // What a router that speaks NAT-PMP alone says (RFC 6886, section 3.5).
      return this.behaviour.speaks.includes("nat-pmp") ? Buffer.from([0, 128 + (message[1] ?? 0), 0, 1, 0, 0, 0, 9]) : undefined;
    }
    this.asked.push(`pcp ${message.readUInt16BE(40)}`);
    const answer = Buffer.from(message);
    answer[1] = 0x81;
    answer[3] = this.behaviour.refusal;
    answer.writeUInt32BE(this.epoch, 8);
    answer.fill(0, 12, 24);
    if (this.behaviour.refusal !== 0) return answer;
    const given = this.#grant(message.readUInt16BE(40), message.readUInt16BE(42), message.readUInt32BE(4));
    answer.writeUInt32BE(given.lifetimeSeconds, 4);
    answer.writeUInt16BE(given.externalPort, 42);
    answer.set(this.behaviour.externalAddress.split(".").map(Number), 56);
    return answer;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request) body += String(piece);
    if (request.url === "/root.xml") {
      const { serviceType, controlHost } = this.behaviour;
      const control = controlHost === "127.0.0.1" ? "/control" : `http://${controlHost}:${this.#soapPort}/control`;
      const other =
        "<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3</controlURL></service>";
      const service = `<service><serviceType>${serviceType}</serviceType><controlURL>${control}</controlURL></service>`;
      response.end(`<?xml version="1.0"?><root><device><serviceList>${other}${service}</serviceList></device></root>`);
      return;
    }
    const action = /#(\w+)"/.exec(String(request.headers["soapaction"]))?.[1] ?? "";
    const field = (name: string): number => Number(new RegExp(`<${name}>(\\d+)</${name}>`).exec(body)?.[1]);
    const fault = this.#fault(action, field);
    if (fault !== 0) {
      response.writeHead(500).end(`<s:Fault><UPnPError><errorCode>${fault}</errorCode></UPnPError></s:Fault>`);
      return;
    }
    if (action === "AddPortMapping") {
      this.asked.push(`upnp ${field("NewInternalPort")}`);
      this.#grant(field("NewInternalPort"), field("NewExternalPort"), field("NewLeaseDuration") || 1_000_000);
    }
    if (action === "DeletePortMapping") {
      for (const { internalPort, externalPort } of this.mapped.values()) {
        if (externalPort === field("NewExternalPort")) this.mapped.delete(internalPort);
      }
    }
    const address = action === "GetExternalIPAddress" ? this.behaviour.externalAddress : "";
    response.end(`<s:Body><u:${action}Response><NewExternalIPAddress>${address}</NewExternalIPAddress></u:${action}Response></s:Body>`);
  }

  #fault(action: string, field: (name: string) => number): number {
    if (action !== "AddPortMapping") return 0;
    if (this.behaviour.refusal !== 0) return this.behaviour.refusal;
    if (this.behaviour.permanentOnly && field("NewLeaseDuration") !== 0) return 725;
    return this.behaviour.taken.has(field("NewExternalPort")) ? 718 : 0;
  }
}
