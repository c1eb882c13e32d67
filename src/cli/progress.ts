import type { Progress } from '../servicing/index.js';
import { shown } from './output.js';

/** A line at the foot of the terminal that tells how far an update is; what a procedure prints scrolls above it. */
export interface ProgressLine {
  update(progress: Progress): void;
  /** Text above the line; what is not a whole line yet waits for its end. */
  write(chunk: Uint8Array): void;
  stop(): void;
}

/** Only on a terminal: elsewhere text passes through, and progress is not told. */
export async function progressLine(stream: NodeJS.WriteStream): Promise<ProgressLine> {
  if (!stream.isTTY) {
    return { update: () => undefined, write: (chunk) => void stream.write(chunk), stop: () => undefined };
  }
  const { default: cliProgress } = await import('cli-progress');
  const bars = new cliProgress.MultiBar(
    {
      format: 'containers {bar} {value}/{total}, {skipped} skipped, {left} left; running: {running}',
      stream,
      clearOnComplete: true,
      hideCursor: true,
      linewrap: false,
    },
    cliProgress.Presets.legacy,
  );
  return new BarLine(bars, stream);
}

/** The part of cli-progress's MultiBar that is used. */
interface Bars {
  create(total: number, value: number, payload: object): Bar;
  /** Kept until the bars are drawn next. */
  log(text: string): void;
  /** Draws the bars, and what was logged above them. */
  update(): void;
  /** Draws nothing any more: what was logged since they were drawn last would be lost. */
  stop(): void;
}

interface Bar {
  setTotal(total: number): void;
  update(value: number, payload: object): void;
}

class BarLine implements ProgressLine {
  #bar: Bar | undefined;
  #begun = 0;
  #rest = Buffer.alloc(0);

  constructor(
    readonly bars: Bars,
    readonly stream: NodeJS.WriteStream,
  ) {}

  update({ total, done, skipped, running }: Progress): void {
    if (total === 0) return;
    if (this.#bar === undefined) this.#begun = Date.now();
    const names = running.map(shown).join(', ');
    const left = leftText(Date.now() - this.#begun, done - skipped, total - done);
    const payload = { skipped, running: names === '' ? '-' : names, left };
    this.#bar ??= this.bars.create(total, done, payload);
    this.#bar.setTotal(total);
    this.#bar.update(done, payload);
  }

  write(chunk: Uint8Array): void {
    if (this.#bar === undefined) {
      this.stream.write(chunk);
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
    if (this.#rest.length > 0) this.stream.write(Buffer.concat([this.#rest, Buffer.from('\n')]));
    this.#rest = Buffer.alloc(0);
  }
}

/**
 * The time left, from that of the containers that ran: at most, for some of the others may be skipped.
 * @param elapsed milliseconds in which `ran` containers were serviced
 */
export function leftText(elapsed: number, ran: number, remaining: number): string {
  if (ran === 0) return 'unknown time';
  const seconds = Math.round((elapsed / ran / 1000) * remaining);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${seconds % 60} s`;
}

/** Names who speaks before what a run prints, where that changes. */
export function speakers(
  base: string,
  line: Pick<ProgressLine, 'write'>,
): (container: string | undefined, chunk: Buffer) => void {
  let speaker: string | undefined;
  return (container, chunk) => {
    const who = container === undefined ? `base ${base}` : `container ${container}`;
    if (who !== speaker) line.write(Buffer.from(`--- ${who}\n`));
    speaker = who;
    line.write(chunk);
  };
}
