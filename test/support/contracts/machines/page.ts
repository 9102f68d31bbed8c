/** The tables of docs/protocol/state-machines.md. */
import { readFileSync } from "node:fs";

export interface MatrixRow {
  readonly state: string;
  /** By call: "→ State" or the name of the error. */
  readonly cells: Readonly<Record<string, string>>;
}

export interface Section {
  readonly matrix: readonly MatrixRow[];
  readonly calls: readonly string[];
  /** "State: what is wrong" and the error. */
  readonly also: readonly (readonly [row: string, error: string])[];
}

const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim().replaceAll("`", ""));

/** Tables of a section: the cells of each line, heads first, rules left out. */
function tablesOf(text: string): string[][][] {
  const tables: string[][][] = [];
  let isInside = false;
  for (const line of text.split("\n")) {
    const isRow = line.startsWith("|");
    if (isRow && !isInside) tables.push([]);
    isInside = isRow;
    if (isRow && !line.startsWith("|--")) tables.at(-1)?.push(cellsOf(line));
  }
  return tables;
}

function sectionOf(text: string): Section {
  const section = { matrix: [] as MatrixRow[], calls: [] as string[], also: [] as [string, string][] };
  for (const [head = [], ...rows] of tablesOf(text)) {
    if (head[0] === "in") {
      section.calls.push(...head.slice(1));
      for (const [state = "", ...cells] of rows) {
        section.matrix.push({ state, cells: Object.fromEntries(section.calls.map((call, at) => [call, cells[at] ?? ""])) });
      }
    } else if (head[0] === "also refused") {
      for (const [what = "", error = ""] of rows) section.also.push([what, error]);
    }
  }
  return section;
}

/** By heading. */
export function readPage(): Readonly<Record<string, Section>> {
  const page = readFileSync(new URL("../../../../docs/protocol/state-machines.md", import.meta.url), "utf8");
  const sections = page.split("\n## ").slice(1);
  return Object.fromEntries(sections.map((text) => [text.slice(0, text.indexOf("\n")), sectionOf(text)]));
}
