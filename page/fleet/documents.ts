/* As GET /fleet and /fleet/machines answer; see src/app/channel. Their types know carriers, which no browser has. */

type UpdateOutcome = 'applied' | 'already' | 'unchanged' | 'rolled-back' | 'failed' | 'waiting';

export interface FleetUpdate {
  readonly sequence: number;
  readonly name: string;
  readonly group: string | null;
  readonly percent: number;
  readonly withdrawn: boolean;
  readonly publishedAt: string;
  readonly offered: number;
  readonly done: number;
  readonly failed: number;
  readonly waiting: number;
  readonly rolledBack: number;
  readonly failures: readonly { readonly host: string; readonly message: string }[];
}

export interface FleetDocument {
  readonly channel: string;
  readonly base: string | null;
  readonly version: number;
  readonly expires: string;
  readonly machines: {
    readonly enrolled: number;
    readonly reporting: number;
    readonly silent: readonly string[];
    readonly strangers: { readonly count: number; readonly first: readonly { readonly host: string }[] };
    readonly refused: {
      readonly count: number;
      readonly first: readonly { readonly path: string; readonly reason: string }[];
    };
  };
  readonly updates: readonly FleetUpdate[];
}

export interface Machine {
  readonly machine: string;
  readonly host: string | null;
  readonly base: string | null;
  readonly group: string | null;
  readonly lamina: string | null;
  readonly reported: string | null;
  readonly outcomes: Readonly<Record<UpdateOutcome, number>>;
  readonly newest: { readonly name: string; readonly outcome: UpdateOutcome } | null;
  readonly failure: { readonly update: string; readonly message: string } | null;
}

export interface MachineUpdate {
  readonly sequence: number;
  readonly name: string;
  readonly outcome: UpdateOutcome;
  readonly started: string | null;
  readonly seconds: number;
  readonly containers: {
    readonly changed: number;
    readonly skipped: number;
    readonly unchanged: number;
    readonly failed: number;
    readonly conflicts: number;
  };
  readonly failures: readonly { readonly container: string; readonly reason: string }[];
  readonly error: { readonly message: string; readonly hint: string | null } | null;
}

export interface MachineDocument extends Machine {
  /** The newest first. */
  readonly updates: readonly MachineUpdate[];
}
