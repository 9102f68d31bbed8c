/** An authority of the test's own, by another implementation of X.509 than the daemon's. */
import "reflect-metadata";
import { createPublicKey, generateKeyPairSync, type KeyObject, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { CertificatePair } from "@ppio/daemon";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ALTERNATIVE_NAMES = "2.5.29.17";
const DAY_MS = 86_400_000;

export interface IssueOptions {
  readonly from?: number;
  readonly until?: number;
}

export class TestAuthority {
  readonly #keys: CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;

  private constructor(keys: CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#keys = keys;
    this.#certificate = certificate;
  }

  static async create(): Promise<TestAuthority> {
    const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=Test authority",
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 365 * DAY_MS),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
    });
    return new TestAuthority(keys, certificate);
  }

  /** What a user puts into NODE_EXTRA_CA_CERTS. */
  get pem(): string {
    return this.#certificate.toString("pem");
  }

  /** A certificate with a new key. Names that look like IPv4 addresses are such. */
  async issue(names: readonly string[], options: IssueOptions = {}): Promise<CertificatePair> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = await this.#sign(publicKeyOf(privateKey), names, options);
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  /** A certificate for a PKCS #10 request, whose signature and name are checked. */
  async issueFor(csr: Buffer, domain: string, options: IssueOptions = {}): Promise<string> {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(csr));
    if (!(await request.verify())) throw new Error("the request's signature is wrong");
    const extension = request.extensions.find(({ type }) => type === ALTERNATIVE_NAMES);
    const names = extension === undefined ? [] : new x509.SubjectAlternativeNameExtension(extension.rawData).names.toJSON();
    if (JSON.stringify(names) !== JSON.stringify([{ type: "dns", value: domain }])) throw new Error("the request is for another name");
    return this.#sign(request.publicKey, [domain], options);
  }

  async #sign(publicKey: x509.PublicKey, names: readonly string[], { from, until }: IssueOptions): Promise<string> {
    const leaf = await x509.X509CertificateGenerator.create({
      subject: "",
      issuer: this.#certificate.subject,
      notBefore: new Date(from ?? Date.now() - DAY_MS),
      notAfter: new Date(until ?? Date.now() + 89 * DAY_MS),
      signingKey: this.#keys.privateKey,
      publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: /^[\d.]+$/.test(value) ? ("ip" as const) : ("dns" as const), value })),
        ),
      ],
    });
    return leaf.toString("pem");
  }
}

function publicKeyOf(privateKey: KeyObject): x509.PublicKey {
  return new x509.PublicKey(new Uint8Array(createPublicKey(privateKey).export({ type: "spki", format: "der" })));
}
