/** The code a piece of work fails with, or "accepted". */
import { isPpioError } from "@ppio/core";

export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return isPpioError(error) ? error.code : String(error);
  }
  return "accepted";
}

/** The sentence a piece of work fails with. */
export async function messageOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "accepted";
}
