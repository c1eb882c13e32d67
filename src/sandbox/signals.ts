import { isSystemError } from '../base/errors.js';
import type { AnonymousFile } from './anonymous-file.js';

/** Signals that this process receives and passes to a command. */
export interface SignalSource {
  /** @returns what ends the subscription */
  subscribe(listener: (signal: NodeJS.Signals) => void): () => void;
}

const pollMs = 10;

/**
 * Passes signals on to the first process of a sandbox, which passes them to the command. The second SIGINT kills it: a
 * command that ignores signals must not block the user.
 */
export class SandboxSignals {
  readonly #unsubscribe: () => void;
  readonly #waiting: NodeJS.Signals[] = [];
  #timer: NodeJS.Timeout | undefined;
  #interrupts = 0;

  /** @param files in which lamina-sandbox reports its process ID, and that process reports that it handles signals */
  constructor(
    source: SignalSource,
    readonly files: { readonly status: AnonymousFile; readonly information: AnonymousFile },
  ) {
    this.#unsubscribe = source.subscribe((signal) => {
      const isSecond = signal === 'SIGINT' && ++this.#interrupts > 1;
      this.#waiting.push(isSecond ? 'SIGKILL' : signal);
      this.#deliver();
    });
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    const pid = this.#pid();
    if (pid === undefined) {
      this.#timer = setTimeout(() => {
        this.#deliver();
      }, pollMs);
      return;
    }
    for (const signal of this.#waiting.splice(0)) send(pid, signal);
  }

  /** Undefined while the kernel would drop signals sent to it. */
  #pid(): number | undefined {
    if (this.files.status.text() === '') return undefined;
    const { 'child-pid': pid } = JSON.parse(this.files.information.text()) as { 'child-pid': number };
    return pid;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has just ended.
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}
