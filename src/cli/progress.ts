import { bytesText } from '../base/units.js';
import { PrintableText } from '../base/printable.js';
import type { Progress } from '../app/apply.js';
import { shown } from './output.js';
import { reportProgress } from './progress-fd.js';
import { write } from './stream.js';

/**
 * A line at the foot of the terminal that shows the progress of an update; what a procedure prints scrolls above it.
 */
export interface ProgressLine {
  update(progress: Progress): void;
  /** Text above the line; an incomplete line waits for its end. */
  write(chunk: Uint8Array): void;
  stop(): void;
}

/** Only on a terminal: elsewhere text passes through. Progress goes to --progress-fd in both cases. */
export async function progressLine(stream: NodeJS.WriteStream): Promise<ProgressLine> {
  const pass = (chunk: Uint8Array) => {
    write('stderr', chunk);
  };
  if (!stream.isTTY) return { update: reportProgress, write: pass, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const bars = new cliProgress.MultiBar(
    {
      format: (_options: unknown, _params: unknown, payload: Payload) =>
        progressText(payload.progress, { begun: payload.begun, now: Date.now() }),
      stream,
      clearOnComplete: true,
      hideCursor: true,
      linewrap: false,
    },
    cliProgress.Presets.legacy,
  );
  return new BarLine(bars, pass);
}

interface Payload {
  readonly progress: Progress;
  /** When the work on containers, or updates, began. */
  readonly begun: number;
}

/** The part of cli-progress's MultiBar that is used. */
interface Bars {
  create(total: number, value: number, payload: Payload): Bar;
  /** Kept until the bars are drawn next. */
  log(text: string): void;
  /** Draws the bars, and what was logged above them. */
  update(): void;
  /** Stops without a final draw: lines logged since the last draw would be lost. */
  stop(): void;
}

interface Bar {
  update(value: number, payload: Payload): void;
}

class BarLine implements ProgressLine {
  #bar: Bar | undefined;
  #begun = 0;
  #rest = Buffer.alloc(0);

  constructor(
    readonly bars: Bars,
    readonly pass: (chunk: Uint8Array) => void,
  ) {}

  update(progress: Progress): void {
    reportProgress(progress);
    if (progress.total > 0 && this.#begun === 0) this.#begun = Date.now();
    const payload = { progress, begun: this.#begun };
    // The format alone draws the line: the bar's own count never becomes full, which would end it.
    this.#bar ??= this.bars.create(1, 0, payload);
    this.#bar.update(0, payload);
  }

  write(chunk: Uint8Array): void {
    if (this.#bar === undefined) {
      this.pass(chunk);
      return;
    }
    const text = Buffer.concat([this.#rest, chunk]);
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = Buffer.from(text.subarray(end));
    if (end > 0) this.bars.log(text.toString('utf8', 0, end));
  }

  stop(): void {
    if (this.#bar === undefined) return;
    this.bars.update();
    this.bars.stop();
    this.#bar = undefined;
    if (this.#rest.length > 0) this.pass(Buffer.concat([this.#rest, Buffer.from('\n')]));
    this.#rest = Buffer.alloc(0);
  }
}

const barWidth = 20;
const namesShown = 3;

/**
 * The line: what runs and for how long, how many are done of all.
 * @param times `begun`: when the work on the first counted one began
 */
export function progressText(progress: Progress, { begun, now }: { begun: number; now: number }): string {
  const { unit, total, done, skipped } = progress;
  const names = progress.running.map(({ name, since }) => `${shown(name ?? 'the base')} ${durationText(now - since)}`);
  const more = names.length > namesShown ? [`${names.length - namesShown} more`] : [];
  const running = names.length === 0 ? '-' : [...names.slice(0, namesShown), ...more].join(', ');
  if (total === 0) return `running: ${running}${readText(progress.read, now)}`;
  const full = Math.round((done / total) * barWidth);
  const bar = `[${'='.repeat(full)}${'-'.repeat(barWidth - full)}]`;
  const left = leftText(now - begun, done - skipped, total - done);
  const without = unit === 'containers' || unit === 'updates' ? `, ${skipped} skipped` : '';
  return `${unit} ${bar} ${done}/${total}${without}, ${left} left; running: ${running}`;
}

function readText(read: Progress['read'], now: number): string {
  if (read === undefined) return '';
  const { bytes, total, since } = read;
  const left = bytes === 0 ? 'unknown time' : durationText(((now - since) / bytes) * (total - bytes));
  return `; read ${bytesText(bytes)} of ${bytesText(total)}, ${left} left`;
}

/** The time left, estimated from those that ran. An upper bound: some of the others may be skipped. */
function leftText(elapsed: number, ran: number, remaining: number): string {
  return ran === 0 ? 'unknown time' : durationText((elapsed / ran) * remaining);
}

function durationText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}

/** What a run printed, and by whom. */
type Listener = (container: string | undefined, chunk: Buffer) => void;

/**
 * Labels the output of runs with its source, where that changes. The output comes from a container or a package: it
 * must not control a terminal, now or when a file that it was written to is displayed.
 * @param raw as it was printed
 */
export function speakers(base: string, line: Pick<ProgressLine, 'write'>, raw: boolean): Listener {
  let speaker: string | undefined;
  const texts = new Map<string, PrintableText>();
  return (container, chunk) => {
    const who = container === undefined ? `base ${base}` : `container ${container}`;
    if (who !== speaker) line.write(Buffer.from(`--- ${who}\n`));
    speaker = who;
    const text = texts.get(who) ?? new PrintableText();
    texts.set(who, text);
    line.write(raw ? chunk : text.add(chunk));
  };
}

export const rawHelp = 'print the output of procedures unescaped: its control characters act on the terminal';
