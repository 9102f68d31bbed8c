/** What the oracle's duties share. */
import type { ChainConnection, Logger, TxSender } from "@ppio/daemon";
import type { SlotTable } from "./chain/slot-table.ts";
import type { DrandClient } from "./drand/client.ts";
import type { OracleMetrics } from "./metrics.ts";

export interface OracleContext {
  readonly chain: ChainConnection;
  readonly sender: Pick<TxSender, "send">;
  readonly drand: DrandClient;
  readonly slots: SlotTable;
  readonly metrics: OracleMetrics;
  readonly log: Logger;
}
