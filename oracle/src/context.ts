/** What the oracle's duties share. */
import type { ChainConnection, Logger, TxSender } from "@ppio/daemon";
import type { SlotTable } from "./chain/slot-table.ts";
import type { VoidTable } from "./chain/void-table.ts";
import type { DrandClient } from "./drand/client.ts";
import type { OracleMetrics } from "./metrics.ts";
import type { Turns } from "./turns.ts";

export interface OracleContext {
  readonly chain: ChainConnection;
  readonly sender: Pick<TxSender, "send">;
  readonly drand: DrandClient;
  readonly slots: SlotTable;
  readonly voids: VoidTable;
  readonly turns: Turns;
  readonly metrics: OracleMetrics;
  readonly log: Logger;
}
