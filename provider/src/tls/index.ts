/** The parts of TLS, for whoever composes or tests them. */
export { AcmeKeeper, type AcmeKeeperOptions } from "./acme-keeper.ts";
export { ageShare, type Certificate, parseCertificate } from "./certificate.ts";
export { readCertificate, watchCertificateFiles } from "./certificate-files.ts";
export { certificateRequest } from "./csr.ts";
export { openChallengeServer } from "./http-challenge.ts";
export { accountKeyOf, newKeyPem, thumbprint } from "./jws.ts";
