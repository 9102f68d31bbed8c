/** Sending large bodies without ever holding more of them than was read. */
import type { ServerResponse } from "node:http";
import { PpioError } from "@ppio/core";

/**
 * Waits until the system has taken the pieces, which are the caller's again then.
 * @throws CANCELLED when the reader went away, or took nothing for `stallMs`
 */
export function send(response: ServerResponse, stallMs: number, pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      stop();
      // At once: the pieces lie in a buffer that the next reader gets.
      response.destroy();
      reject(new PpioError("CANCELLED", "The reader went away."));
    };
    const timer = setTimeout(leave, stallMs);
    const stop = (): void => {
      clearTimeout(timer);
      response.off("close", leave);
    };
    response.once("close", leave);
    if (response.destroyed) {
      leave();
      return;
    }
    const taken = (): void => {
      stop();
      resolve();
    };
    // Node hands all that is written in one turn to the system in one call.
    pieces.forEach((piece, index) => {
      if (index < pieces.length - 1) response.write(piece);
      else response.write(piece, taken);
    });
  });
}
