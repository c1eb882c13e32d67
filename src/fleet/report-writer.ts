import { LaminaError, refused } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { readSmall } from '../channel/index.js';
import type { Carrier } from '../channel/index.js';
import { readReport, reportPath } from './report.js';
import type { Report } from './report.js';

/**
 * Writes the reports that arrive, each over the one before it of its machine. Whoever has seen a report can send it
 * again: so none is written over one that its machine wrote later.
 */
export class ReportWriter {
  /** By machine: two reports of one are written one after the other. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(readonly carrier: Carrier) {}

  /**
   * @param report what the bytes say
   * @throws LaminaError refused (OLD_REPORT): there is a newer one; as `Carrier.write`
   */
  async write(report: Report, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const { machine } = report;
    const before = this.#writing.get(machine) ?? Promise.resolve();
    const written = before.then(async () => this.#write(report, bytes, signal));
    // An error of the report before goes to its own sender.
    const settled = written.catch(() => undefined);
    this.#writing.set(machine, settled);
    try {
      await written;
    } finally {
      if (this.#writing.get(machine) === settled) this.#writing.delete(machine);
    }
  }

  async #write({ machine, written }: Report, bytes: Buffer, signal: AbortSignal): Promise<void> {
    const { carrier } = this;
    if (carrier.write === undefined) throw new TypeError('a directory can be written');
    const there = await readWritten(carrier, machine, signal);
    // It was received before, and its machine has not heard of that.
    if (there?.bytes.equals(bytes) === true) return;
    if (there !== undefined && Date.parse(there.written) >= Date.parse(written))
      throw refused(`machine ${machine} has sent a report of ${there.written} before this one of ${written}`, {
        code: 'OLD_REPORT',
        hint: 'expel the machine and enroll it again if its clock was wrong: lamina channel expel, lamina channel enroll',
      });
    await carrier.write(reportPath(machine), bytes, { signal });
  }
}

/** The report of a machine that is there; undefined: none, or something that is no report of it. */
async function readWritten(carrier: Carrier, machine: string, signal: AbortSignal) {
  try {
    const there = await readSmall(carrier, reportPath(machine), { maxBytes: limits.machineReport.value, signal });
    if (there.status !== 'found') return undefined;
    return { bytes: there.bytes, written: readReport(there.bytes, machine).written };
  } catch (error) {
    if (error instanceof LaminaError && ['BAD_REPORT', 'CHANNEL_TOO_LONG'].includes(error.code)) return undefined;
    throw error;
  }
}
