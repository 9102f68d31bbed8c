/** The backend of a page: WebCrypto, or plain JavaScript where the origin is not secure. */

import { importAesKey as importPlain } from "./aes.plain.ts";
import type { ImportAesKey } from "./aes.ts";
import { importAesKey as importWeb } from "./aes.web.ts";

export const importAesKey: ImportAesKey = globalThis.crypto?.subtle === undefined ? importPlain : importWeb;
