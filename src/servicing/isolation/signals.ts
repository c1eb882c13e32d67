import { isSystemError } from '../../base/errors.js';
import type { NamelessFile } from './nameless.js';

/** Signals that come to us and are meant for a command. */
export interface SignalSource {
  /** @returns what ends the subscription */
  subscribe(listener: (signal: NodeJS.Signals) => void): () => void;
}

const pollMs = 10;

/** Passes signals on to the first process of a sandbox, which gives them to the command. The second SIGINT ends it: a command that does not listen must not hold up a person. */
export class SandboxSignals {
  readonly #unsubscribe: () => void;
  readonly #waiting: NodeJS.Signals[] = [];
  #timer: NodeJS.Timeout | undefined;
  #interrupts = 0;

  /** @param files in which lamina-sandbox tells the process, and the process that it listens */
  constructor(
    source: SignalSource,
    readonly files: { readonly status: NamelessFile; readonly information: NamelessFile },
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

  /** Undefined as long as the kernel would drop what is sent. */
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
    // It has ended just now.
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}
