import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, messageOf, notFound, refused } from '../../base/errors.js';
import { isId, newId } from '../../base/ids.js';
import { warn } from '../../base/this-command.js';
import { isoNow } from '../../base/time.js';
import { startInBackground, thirdDescriptor } from '../../platform/background.js';
import { makeDirectoryDurably, removeAllDurably, writeFileDurably } from '../../platform/durable.js';
import { distFile } from '../../platform/install.js';
import { isLocked } from '../../platform/lock.js';
import type { AuditLog } from '../audit-log.js';
import type { JobData } from '../documents.js';
import { endOfJob } from './job-end.js';
import { endOf, jobFiles, readDocument, readEnd, readProgress, readRequest, sizeOf } from './job-files.js';
import type { JobFiles, JobRequest } from './job-files.js';

/** What a job is to do. */
export interface NewJob {
  /** As in `lamina help`: 'update apply'. */
  readonly command: string;
  /** Options and arguments of the command. */
  readonly args: readonly string[];
  /** What was asked for, for those who look at the job. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  readonly by: string;
}

/** Jobs that run at once, and of these the ones that change nothing: whoever may read can start them. */
const mostRunning = 8;
const mostReading = 5;
/** Jobs that are kept when they have ended, of either kind: those that change nothing do not push the others out. */
const mostKept = 200;
/** Milliseconds between looks at what runs, and for which what is known of a running job may be out of date. */
const pause = 200;
const pauseAfterFailure = 5000;
const staleAfter = 100;
const shownOutput = 64 << 10;

/**
 * Long commands, each a separate process that continues when the server ends. All that is known of a job is in its
 * files, so a server that starts again shows how jobs continued, and ended, without it.
 */
export class Jobs {
  readonly #directory: BytePath;
  /** Those of which the end is not on record. */
  readonly #open = new Set<string>();
  readonly #starting = new Set<NewJob>();
  readonly #listeners = new Set<(job: JobData) => void>();
  /** What was read last, of jobs that run until it is stale: there may be a thousand readers of one. */
  readonly #known = new Map<string, { readonly until: number; readonly data: JobData }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly store: BytePath,
    serve: BytePath,
    readonly audit: AuditLog,
  ) {
    this.#directory = join(serve, 'jobs');
  }

  /** Looks for the jobs of a server before this one. */
  async open(): Promise<void> {
    await makeDirectoryDurably(this.#directory, 0o700).catch(isThere);
    for (const id of this.#ids()) if (readEnd(this.files(id)) === undefined) this.#open.add(id);
    await this.#look();
    this.#endUnbegun();
    await this.#prune();
  }

  /** Actions that a server before this one did not come to begin. */
  #endUnbegun(): void {
    const running = new Set([...this.#open].map((id) => readRequest(this.files(id))?.audit));
    const message = 'the server ended before the action began';
    for (const { id, outcome } of this.audit.list())
      if (outcome === 'running' && !running.has(id))
        this.audit.end(id, { outcome: 'aborted', message, ended: isoNow() });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
  }

  files(id: string): JobFiles {
    return jobFiles(this.#directory, id);
  }

  /** Called when a job begins, and when it ends. @returns ends it */
  onChange(listener: (job: JobData) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws LaminaError refused: too many run; failed: it cannot be started */
  async start(job: NewJob): Promise<JobData> {
    this.#refuseTooMany(job);
    this.#starting.add(job);
    try {
      return await this.#start(job);
    } finally {
      this.#starting.delete(job);
    }
  }

  #refuseTooMany({ command, request, dryRun, by }: NewJob): void {
    const running = [...[...this.#open].flatMap((id) => this.#find(id) ?? []), ...this.#starting];
    const alike = dryRun ? running.filter((each) => each.dryRun) : running;
    const most = dryRun ? mostReading : mostRunning;
    if (running.length < mostRunning && alike.length < most) return;
    const message = `${alike.length} ${dryRun ? 'dry runs' : 'jobs'} are running already`;
    this.audit.refuse({ by, action: command, request, time: isoNow() }, message);
    throw refused(message, { code: 'BUSY', hint: 'wait until one has ended: see /jobs' });
  }

  async #start({ command, args, request, dryRun, by }: NewJob): Promise<JobData> {
    const id = newId('j');
    const files = this.files(id);
    const started = isoNow();
    const audit = this.audit.begin({ by, action: command, request, job: id, time: started });
    const record: JobRequest = { version: 1, command, args: [...args], request, dryRun, by, started, audit };
    await makeDirectoryDurably(files.directory, 0o700);
    await writeFileDurably(files.request, JSON.stringify(record), { mode: 0o600 });
    const globals = ['--store', toText(this.store), '--json', `--progress-fd=${thirdDescriptor}`];
    await startInBackground({
      command: process.execPath,
      args: [distFile('lamina.js'), ...globals, ...command.split(' '), ...args],
      cwd: '/',
      stdout: files.document,
      stderr: files.output,
      third: files.progress,
      lock: files.lock,
    }).catch(async (error: unknown) => {
      await this.#settle(id);
      throw error;
    });
    this.#open.add(id);
    const data = this.get(id);
    this.#report(data);
    this.#schedule();
    return data;
  }

  /** Newest first. */
  list(): JobData[] {
    const jobs = this.#ids().flatMap((id) => this.#find(id) ?? []);
    return jobs.sort((a, b) => (a.started < b.started ? 1 : -1));
  }

  /** @throws LaminaError notFound */
  get(id: string): JobData {
    const found = isId(id, 'j') ? this.#find(id) : undefined;
    if (found !== undefined) return found;
    throw notFound(`there is no job ${JSON.stringify(id)}`, {
      code: 'NO_JOB',
      hint: `see /jobs; the last ${mostKept} jobs are kept`,
    });
  }

  /** The end of what it printed, and its document. @throws LaminaError notFound */
  getWhole(id: string): JobData & { readonly output: string; readonly result: Record<string, unknown> | null } {
    const job = this.get(id);
    const files = this.files(id);
    const output = endOf(files.output, shownOutput).toString('utf8');
    return { ...job, output, result: readDocument(files) ?? null };
  }

  /**
   * Cancels a job, as SIGTERM ends a command: it rolls back its changes. A job that has done its work stays done.
   * @throws LaminaError notFound; refused: it has ended
   */
  async cancel(id: string): Promise<JobData> {
    const job = this.get(id);
    if (job.state !== 'running')
      throw refused(`job ${id} has ended: ${job.state}`, { code: 'JOB_ENDED', hint: `see /jobs/${id}` });
    const files = this.files(id);
    writeFileSync(toBuffer(files.cancel), '', { mode: 0o600, flag: 'a' });
    this.#signal(id);
    return Promise.resolve(this.get(id));
  }

  /**
   * Sends SIGTERM, once: a second one would end the command before it has undone what it began. The first line of
   * its progress names its process; the lock says that this one still runs.
   */
  #signal(id: string): void {
    const files = this.files(id);
    if (sizeOf(files.cancel) > 0) return;
    const pid = readProgress(files).first?.['process'];
    if (typeof pid !== 'number' || pid <= 1 || !isLocked(files.lock)) return;
    try {
      process.kill(pid, 'SIGTERM');
      writeFileSync(toBuffer(files.cancel), 'sent\n');
    } catch (error) {
      if (!isSystemError(error, 'ESRCH')) throw error;
    }
  }

  #ids(): string[] {
    return readdirSync(toBuffer(this.#directory), 'utf8').filter((name) => isId(name, 'j'));
  }

  #find(id: string): JobData | undefined {
    const known = this.#known.get(id);
    if (known !== undefined && Date.now() < known.until) return known.data;
    const files = this.files(id);
    const request = readRequest(files);
    if (request === undefined) return undefined;
    const { command, dryRun, started, by } = request;
    const end = readEnd(files);
    const data: JobData = {
      id,
      command,
      request: request.request,
      dryRun,
      state: end?.state ?? 'running',
      exitCode: end?.exitCode ?? null,
      started,
      ended: end?.ended ?? null,
      by,
      message: end?.message ?? null,
      progress: readProgress(files).last ?? null,
    };
    this.#known.set(id, { until: end === undefined ? Date.now() + staleAfter : Infinity, data });
    return data;
  }

  #schedule(wait = pause): void {
    if (this.#open.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look().catch((error: unknown) => {
        warn(`cannot update the list of jobs: ${messageOf(error)}`);
        this.#schedule(pauseAfterFailure);
      });
    }, wait);
  }

  async #look(): Promise<void> {
    for (const id of this.#open) {
      const { lock, cancel } = this.files(id);
      if (!isLocked(lock)) await this.#settle(id);
      else if (isThereAt(cancel)) this.#signal(id);
    }
    this.#schedule();
  }

  async #settle(id: string): Promise<void> {
    const files = this.files(id);
    const request = readRequest(files);
    if (request === undefined) {
      // A server that died while it made the job: nothing was started.
      await removeAllDurably([files.directory]);
      this.#open.delete(id);
      return;
    }
    const end = endOfJob(files);
    // Both are on record, or this is done again.
    this.audit.end(request.audit, { outcome: end.state, message: end.message, ended: end.ended });
    await writeFileDurably(files.end, JSON.stringify(end), { mode: 0o600 });
    this.#open.delete(id);
    this.#known.delete(id);
    this.#report(this.get(id));
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const ended = this.list().filter(({ state }) => state !== 'running');
    const [reading, changing] = [true, false].map((dry) => ended.filter(({ dryRun }) => dryRun === dry));
    for (const { id } of [reading, changing].flatMap((each) => (each ?? []).slice(mostKept))) {
      await removeAllDurably([this.files(id).directory]);
      this.#known.delete(id);
    }
  }

  #report(job: JobData): void {
    for (const listener of this.#listeners) listener(job);
  }
}

const isThereAt = (path: BytePath): boolean => existsSync(toBuffer(path));

function isThere(error: unknown): void {
  if (!isSystemError(error, 'EEXIST')) throw error;
}
