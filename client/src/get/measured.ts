/** Notes how fast a provider's answer begins and runs. */
import type { Context } from "../context.ts";
import type { SlotAnswer } from "./slot-answer.ts";

export async function measured(
  { clock, service }: Pick<Context, "clock" | "service">,
  providerId: number,
  open: () => Promise<SlotAnswer>,
): Promise<SlotAnswer> {
  const askedAtMs = clock.nowMs();
  const answer = await open();
  service.answered(providerId, clock.nowMs() - askedAtMs);
  return {
    ...answer,
    async readCells(target) {
      const begunAtMs = clock.nowMs();
      await answer.readCells(target);
      service.read(providerId, target.length, clock.nowMs() - begunAtMs);
    },
  };
}
