/** A certificate that somebody else renews: read again when its files change, kept as it was while they do not fit together. */
import { readFile } from "node:fs/promises";
import { PpioError } from "@ppio/core";
import { type CertificatePair, diskError, isErrno, type Logger } from "@ppio/daemon";
import { type Certificate, parseCertificate } from "./certificate.ts";

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** @throws CONFIG, IO */
export async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const pair: CertificatePair = { cert: await readText(certFile), key: await readText(keyFile) };
  try {
    return parseCertificate(pair);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PpioError("CONFIG", `${certFile} and ${keyFile}: ${why}`, { cause });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (isErrno(cause, "ENOENT")) throw new PpioError("CONFIG", `There is no file ${path}; correct the setting.`, { cause });
    throw diskError(cause, path);
  }
}

export interface FileWatchOptions extends CertificateFiles {
  readonly log: Logger;
  readonly onChange: (certificate: Certificate) => void;
  readonly onFailure: () => void;
}

/**
 * Looks once; the files are small, and looking at what they hold also sees links that were turned, as renewing tools do.
 * @returns a function that looks again
 */
export function watchCertificateFiles(options: FileWatchOptions, first: Certificate): () => Promise<void> {
  let current: CertificatePair = first;
  let toldWhy = "";
  return async () => {
    try {
      const read = await readCertificate(options);
      toldWhy = "";
      if (read.cert === current.cert && read.key === current.key) return;
      current = read;
      options.onChange(read);
      options.log.info("the certificate was exchanged", { until: new Date(read.until).toISOString() });
    } catch (error) {
      // Between the two writes of whoever renews them they do not fit: told once, tried again.
      const why = error instanceof Error ? error.message : String(error);
      if (why !== toldWhy) {
        options.onFailure();
        options.log.error("the new certificate cannot be used; the old one goes on", { error });
      }
      toldWhy = why;
    }
  };
}
