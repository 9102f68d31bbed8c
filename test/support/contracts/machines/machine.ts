/** A state machine of the contracts as docs/protocol/state-machines.md writes it: how to get into each state, and what can be tried there. */
import type { Stage } from "../stage.ts";

/** Prepares a call, so that nothing but the call itself can be what is refused. */
export type Attempt<C> = (context: C) => Promise<() => Promise<unknown>>;

interface Definition<C> {
  start(stage: Stage): Promise<C>;
  /** Brings what the machine is about from its beginning into a state. */
  readonly states: Readonly<Record<string, (context: C) => Promise<unknown>>>;
  /** Columns of the page's matrix, each made as who may make it and with arguments that are right. */
  readonly calls: Readonly<Record<string, Attempt<C>>>;
  /** Rows of the page's second table, "State: what is wrong". */
  readonly also: Readonly<Record<string, Attempt<C>>>;
  /** What the contracts say now. */
  stateOf(context: C): Promise<string>;
}

interface Entered {
  state(): Promise<string>;
  call(name: string): Promise<() => Promise<unknown>>;
  also(row: string): Promise<() => Promise<unknown>>;
}

export interface Machine {
  readonly states: readonly string[];
  readonly calls: readonly string[];
  readonly also: readonly string[];
  enter(stage: Stage, state: string): Promise<Entered>;
}

function named<T>(all: Readonly<Record<string, T>>, name: string): T {
  const found = all[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

export function machineOf<C>({ start, states, calls, also, stateOf }: Definition<C>): Machine {
  return {
    states: Object.keys(states),
    calls: Object.keys(calls),
    also: Object.keys(also),
    async enter(stage, state) {
      const context = await start(stage);
      await named(states, state)(context);
      return {
        state: () => stateOf(context),
        call: (name) => named(calls, name)(context),
        also: (row) => named(also, row)(context),
      };
    },
  };
}
