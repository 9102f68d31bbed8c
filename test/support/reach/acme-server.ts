/**
 * An ACME server of RFC 8555 for one kind of order: it checks every request's signature, nonce, address and account, asks the challenge over
 * HTTP as an authority does, and fails when a test wants it to.
 */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, randomBytes, verify } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { IssueOptions, TestAuthority } from "./certificates.ts";

interface Account {
  readonly key: KeyObject;
  readonly thumbprint: string;
}

interface Order {
  readonly domain: string;
  readonly token: string;
  status: "pending" | "ready" | "processing" | "valid" | "invalid";
  error?: { readonly type: string; readonly detail: string };
  certificate?: string;
}

interface Signed {
  readonly header: { readonly alg: string; readonly nonce: string; readonly url: string; readonly jwk?: JsonWebKey; readonly kid?: string };
  readonly payload: unknown;
  readonly account: Account;
}

export class TestAcmeServer {
  readonly #authority: TestAuthority;
  readonly #server: Server = createServer();
  readonly #nonces = new Set<string>();
  readonly #accounts = new Map<string, Account>();
  readonly #orders: Order[] = [];
  /** Where the challenge is asked. */
  challengePort = 0;
  issues: IssueOptions = {};
  /** Refuses so many requests for their nonces. */
  badNonces = 0;
  isDown = false;

  private constructor(authority: TestAuthority) {
    this.#authority = authority;
    this.#server.on("request", (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#answer(response, 400, { type: "urn:ietf:params:acme:error:malformed", detail: String(error) });
      });
    });
  }

  static async start(authority: TestAuthority): Promise<TestAcmeServer> {
    const made = new TestAcmeServer(authority);
    made.#server.listen(0, "127.0.0.1");
    await once(made.#server, "listening");
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get accounts(): number {
    return this.#accounts.size;
  }

  get orders(): number {
    return this.#orders.length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isDown) {
      response.destroy();
      return;
    }
    const [, path = "", number = ""] = (request.url ?? "").split("/");
    const { url } = this;
    if (path === "directory") {
      this.#answer(response, 200, { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` });
      return;
    }
    if (path === "nonce") {
      this.#answer(response, 200, "");
      return;
    }
    let body = "";
    for await (const piece of request) body += String(piece);
    const signed = this.#check(body, `${url}${request.url}`);
    if (signed === "bad nonce") {
      this.#answer(response, 400, { type: "urn:ietf:params:acme:error:badNonce", detail: "use another" });
      return;
    }
    await this.#act(response, path, number, signed);
  }

  async #act(response: ServerResponse, path: string, number: string, { payload, header, account }: Signed): Promise<void> {
    const { url } = this;
    const order = this.#orders[Number(number)];
    const shown = { status: order?.status, authorizations: [`${url}/authz/${number}`], finalize: `${url}/finalize/${number}` };
    const problem = order?.error === undefined ? {} : { error: order.error };
    if (path === "account") {
      const kid =
        [...this.#accounts].find(([, known]) => known.thumbprint === account.thumbprint)?.[0] ?? `${url}/accounts/${this.accounts}`;
      this.#accounts.set(kid, account);
      this.#answer(response, 201, { status: "valid" }, { location: kid });
    } else if (header.kid === undefined) {
      throw new Error("only a new account is asked for by its key");
    } else if (path === "order" && number === "") {
      const [{ value }] = (payload as { readonly identifiers: readonly [{ readonly value: string }] }).identifiers;
      this.#orders.push({ domain: value, token: randomBytes(16).toString("base64url"), status: "pending" });
      const at = this.orders - 1;
      const opened = { status: "pending", authorizations: [`${url}/authz/${at}`], finalize: `${url}/finalize/${at}` };
      this.#answer(response, 201, opened, { location: `${url}/order/${at}` });
    } else if (order === undefined) {
      this.#answer(response, 404, { detail: "no such order" });
    } else if (path === "authz") {
      const status = order.status === "pending" || order.status === "invalid" ? order.status : "valid";
      const challenge = { type: "http-01", url: `${url}/challenge/${number}`, token: order.token, ...problem };
      this.#answer(response, 200, { status, challenges: [{ type: "dns-01", url: `${url}/none`, token: "x" }, challenge] });
    } else if (path === "challenge") {
      void this.#validate(order, account);
      this.#answer(response, 200, { status: "processing" });
    } else if (path === "finalize") {
      if (order.status !== "ready") throw new Error(`the order is ${order.status}`);
      order.status = "processing";
      const csr = Buffer.from((payload as { readonly csr: string }).csr, "base64url");
      order.certificate = `${await this.#authority.issueFor(csr, order.domain, this.issues)}\n${this.#authority.pem}`;
      order.status = "valid";
      this.#answer(response, 200, { ...shown, status: "processing" });
    } else if (path === "certificate") {
      this.#answer(response, 200, order.certificate ?? "");
    } else {
      const certificate = order.status === "valid" ? { certificate: `${url}/certificate/${number}` } : {};
      this.#answer(response, 200, { ...shown, ...certificate, ...problem });
    }
  }

  /** As RFC 8555 wants it in sections 6.2 to 6.5. */
  #check(body: string, url: string): Signed | "bad nonce" {
    const { protected: head, payload, signature } = JSON.parse(body) as Readonly<Record<string, string>>;
    const header = JSON.parse(Buffer.from(head ?? "", "base64url").toString()) as Signed["header"];
    const account = header.jwk === undefined ? this.#accounts.get(header.kid ?? "") : accountOf(header.jwk);
    if (account === undefined) throw new Error("unknown account");
    if (header.alg !== "ES256" || header.url !== url) throw new Error("the header is wrong");
    const signedBytes = Buffer.from(`${head}.${payload}`);
    const isSigned = verify(
      "sha256",
      signedBytes,
      { key: account.key, dsaEncoding: "ieee-p1363" },
      Buffer.from(signature ?? "", "base64url"),
    );
    if (!isSigned) throw new Error("the signature is wrong");
    const isKnown = this.#nonces.delete(header.nonce);
    if (this.badNonces > 0 || !isKnown) {
      this.badNonces -= 1;
      return "bad nonce";
    }
    const text = Buffer.from(payload ?? "", "base64url").toString();
    return { header, account, payload: text === "" ? undefined : JSON.parse(text) };
  }

  async #validate(order: Order, { thumbprint }: Account): Promise<void> {
    const at = `http://127.0.0.1:${this.challengePort}/.well-known/acme-challenge/${order.token}`;
    const answer = await fetch(at).then(
      (response) => response.text(),
      () => "no connection",
    );
    order.status = answer === `${order.token}.${thumbprint}` ? "ready" : "invalid";
    if (order.status === "invalid")
      order.error = { type: "urn:ietf:params:acme:error:unauthorized", detail: `the challenge got "${answer}"` };
  }

  #answer(response: ServerResponse, status: number, body: object | string, headers: Readonly<Record<string, string>> = {}): void {
    const nonce = randomBytes(12).toString("base64url");
    this.#nonces.add(nonce);
    response.writeHead(status, { ...headers, "replay-nonce": nonce });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }
}

function accountOf(jwk: JsonWebKey): Account {
  const { crv, kty, x, y } = jwk;
  const thumbprint = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  return { key: createPublicKey({ key: jwk, format: "jwk" }), thumbprint };
}
