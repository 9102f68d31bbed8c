/** What can be read where: the slots of canary deals, by the provider that holds them now. From the chain, never from a grant alone. */
import { type DealHeader, decodeDealHeader, PpioError, type SigningDomain } from "@ppio/core";
import type { ChainConnection, Logger } from "@ppio/daemon";
import { getBytes } from "ethers";
import { readAll } from "../chain/read-all.ts";
import { type CanaryGrant, isSigned } from "./grants.ts";
import { fraction } from "./schedule.ts";

/** Statuses of IStorageMarket. */
const ACTIVE = 1n;
const HELD_STATUSES: readonly bigint[] = [1n, 4n];
/** A ticket must hold for the whole read. */
const REMAINING_SECONDS_MIN = 120;
/** Customers' tickets are made for six hours; one that lasts much longer would tell a probe from a customer. */
const REMAINING_SECONDS_USUAL = 6 * 3600;

export interface Target {
  readonly grant: CanaryGrant;
  readonly dealId: string;
  readonly slotIndex: number;
  readonly providerId: number;
  readonly header: DealHeader;
  readonly root: Uint8Array;
}

/** Slots that must be readable now, by provider. A deal that is over, or whose owner did not make the grant, gives none. */
export async function findTargets(chain: ChainConnection, grants: readonly CanaryGrant[], log: Logger): Promise<Map<number, Target[]>> {
  const current = await chain.proofs.currentPeriod();
  const targets = new Map<number, Target[]>();
  for (const target of (await readAll(grants, (grant) => slotsOf(chain, grant, current, log))).flat()) {
    targets.set(target.providerId, [...(targets.get(target.providerId) ?? []), target]);
  }
  return targets;
}

async function slotsOf({ market }: ChainConnection, grant: CanaryGrant, current: bigint, log: Logger): Promise<Target[]> {
  const { dealId } = grant;
  const deal = await market.deal(dealId);
  if (deal.status !== ACTIVE || current >= deal.end) return [];
  if (deal.owner !== grant.owner) {
    log.warn("a canary grant is not the deal's owner's", { dealId, owner: deal.owner });
    return [];
  }
  const header = decodeDealHeader(getBytes(deal.header));
  return (await market.slots(dealId)).flatMap((slot, slotIndex) => {
    if (!HELD_STATUSES.includes(slot.status) || current >= slot.liveUntil) return [];
    return [{ grant, dealId, slotIndex, providerId: Number(slot.providerId), header, root: getBytes(slot.root) }];
  });
}

export interface DrawnRead {
  readonly target: Target;
  readonly ticket: TicketOf;
  readonly firstRow: number;
  readonly rowCount: number;
}

type TicketOf = CanaryGrant["tickets"][number];

/** Bytes of a read: a customer's requests are as large. */
const READ_BYTES_MAX = 1024 * 1024;

/** What a draw of 32 bytes reads of these targets. @throws NOT_FOUND when no ticket of the drawn grant can be used now */
export function drawRead(targets: readonly Target[], draw: Uint8Array, domain: SigningDomain, nowSeconds: number): DrawnRead {
  const part = (index: number): number => fraction(draw.subarray(6 * index));
  const target = targets[Math.floor(part(0) * targets.length)];
  if (target === undefined) throw new PpioError("NOT_FOUND", "There is no canary slot to read.");
  const { rows, cellBytes } = target.header;
  const firstRow = Math.floor(part(1) * rows);
  const most = Math.max(1, Math.min(rows - firstRow, Math.floor(READ_BYTES_MAX / cellBytes)));
  const rowCount = 1 + Math.floor(part(2) * most);
  const usable = usableTickets(target.grant, { firstRow, rowCount }, nowSeconds);
  const drawn = usable[Math.floor(part(3) * usable.length)];
  if (drawn === undefined || !isSigned(domain, target.grant, drawn)) {
    throw new PpioError("NOT_FOUND", `No ticket for canary deal ${target.dealId} can be used now; ask its owner for new ones.`);
  }
  return { target, ticket: drawn, firstRow, rowCount };
}

/** Those that look like a customer's, before those that last longer. */
function usableTickets(grant: CanaryGrant, rows: { readonly firstRow: number; readonly rowCount: number }, nowSeconds: number): TicketOf[] {
  const valid = grant.tickets.filter(({ ticket }) => {
    const covers = ticket.firstCell <= rows.firstRow && ticket.firstCell + ticket.cellCount >= rows.firstRow + rows.rowCount;
    return covers && ticket.expiry >= nowSeconds + REMAINING_SECONDS_MIN;
  });
  const usual = valid.filter(({ ticket }) => ticket.expiry <= nowSeconds + REMAINING_SECONDS_USUAL);
  // Made latest, as a customer makes one for each session.
  const newest = Math.max(...usual.map(({ ticket }) => ticket.expiry));
  return usual.length > 0 ? usual.filter(({ ticket }) => ticket.expiry === newest) : valid;
}
