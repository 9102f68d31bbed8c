/** Counters and gauges in Prometheus' text format, from one table of names and meanings. Names that end in `_total` are counters. */

export interface Metrics<Name extends string> {
  add(name: Name, value: number): void;
  set(name: Name, value: number): void;
  get(name: Name): number;
  render(): string;
}

export function createMetrics<const T extends Readonly<Record<string, string>>>(help: T): Metrics<keyof T & string> {
  type Name = keyof T & string;
  const values = new Map<Name, number>();
  const get = (name: Name): number => values.get(name) ?? 0;
  const render = (name: Name): string =>
    `# HELP ${name} ${help[name]}\n# TYPE ${name} ${name.endsWith("_total") ? "counter" : "gauge"}\n${name} ${get(name)}\n`;
  return {
    add: (name, value) => void values.set(name, get(name) + value),
    set: (name, value) => void values.set(name, value),
    get,
    render: () => (Object.keys(help) as Name[]).map(render).join(""),
  };
}
