/** Counters and gauges in Prometheus' text format. */

const HELP = {
  ppio_uploaded_bytes_total: "Bytes taken in",
  ppio_served_bytes_total: "Bytes of cells sent out",
  ppio_offers_total: "Offers signed",
  ppio_proofs_total: "Periods proven",
  ppio_proof_failures_total: "Periods that could not be proven on an attempt",
  ppio_corrupt_cells_total: "Cells found damaged on disk",
  ppio_last_proven_period: "Newest period that was proven",
  ppio_used_bytes: "Space taken by slots",
  ppio_free_bytes: "Space left to rent out",
  ppio_slots: "Slots held",
} as const;

export type MetricName = keyof typeof HELP;

export interface Metrics {
  add(name: MetricName, value: number): void;
  set(name: MetricName, value: number): void;
  get(name: MetricName): number;
  render(): string;
}

export function createMetrics(): Metrics {
  const values = new Map<MetricName, number>();
  const get = (name: MetricName): number => values.get(name) ?? 0;
  return {
    add: (name, value) => void values.set(name, get(name) + value),
    set: (name, value) => void values.set(name, value),
    get,
    render: () =>
      (Object.keys(HELP) as MetricName[])
        .map(
          (name) => `# HELP ${name} ${HELP[name]}\n# TYPE ${name} ${name.endsWith("_total") ? "counter" : "gauge"}\n${name} ${get(name)}\n`,
        )
        .join(""),
  };
}
