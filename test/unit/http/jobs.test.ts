import { mkdirSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toText } from '../../../src/base/bytes.js';
import { EventStreams } from '../../../src/http/event-streams.js';
import { endOfJob } from '../../../src/http/jobs/job-end.js';
import { followJob, positionOf } from '../../../src/http/jobs/job-events.js';
import { jobFiles, readProgress } from '../../../src/http/jobs/job-files.js';
import type { JobFiles } from '../../../src/http/jobs/job-files.js';
import type { JobData } from '../../../src/http/documents.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
let made = 0;

/** The files of a job, with what they hold by name. */
function filesWith(content: Partial<Record<'progress' | 'document' | 'output' | 'cancel', string>>): JobFiles {
  const files = jobFiles(at('jobs'), `j-${String(++made).padStart(16, '0')}`);
  mkdirSync(toText(files.directory), { recursive: true });
  for (const [name, text] of Object.entries(content)) writeFileSync(toText(files[name as 'progress']), text);
  return files;
}

const begun = '{"type":"start","version":1,"command":"gc","process":77}\n';
const ended = (exitCode: number) => `{"type":"end","exitCode":${exitCode}}\n`;
const error = '{"formatVersion":2,"error":{"code":"X","message":"it was said","hint":null}}';

describe('a job that runs no more', () => {
  it.each([
    ['done', 0, null, { progress: begun + ended(0), document: '{"formatVersion":2}' }],
    ['done, though it was cancelled', 0, null, { progress: begun + ended(0), document: '{}', cancel: 'sent\n' }],
    ['failed', 4, 'it was said', { progress: begun + ended(4), document: error }],
    ['failed', 7, 'it printed no document', { progress: begun + ended(7), document: '' }],
    ['cancelled', 1, 'it was said', { progress: begun + ended(1), document: error, cancel: 'sent\n' }],
    ['cancelled', null, /without a report: lamina status/, { progress: begun, document: '', cancel: 'sent\n' }],
    ['aborted', null, /without a report: lamina status/, { progress: begun, document: '' }],
    ['aborted', null, /without a report/, {}],
    ['aborted', null, /without a report/, { progress: `${begun}{"type":"end","exit`, document: '{}' }],
  ] as const)('is %s (exit code %s)', (state, exitCode, message, content) => {
    const end = endOfJob(filesWith(content));
    expect(end).toMatchObject({ state: state.replace(/,.*/, ''), exitCode });
    if (message === null) expect(end.message).toBeNull();
    else expect(end.message).toMatch(message);
  });

  it('is read from the ends of its progress, however long that and its lines are', () => {
    const running = Array.from({ length: 1000 }, (_, n) => ({ name: `${'c'.repeat(240)}-${n}`, since: '' }));
    const long = `${JSON.stringify({ type: 'progress', running })}\n`;
    expect(long.length).toBeGreaterThan(200_000);
    expect(readProgress(filesWith({ progress: begun + long.repeat(9) })).last).toMatchObject({ type: 'progress' });
    const many = `${begun}${'{"type":"progress"}\n'.repeat(100_000)}${ended(0)}{"cut`;
    expect(readProgress(filesWith({ progress: many }))).toMatchObject({
      first: { process: 77 },
      last: { type: 'end' },
    });
    expect(readProgress(filesWith({ progress: '{"cut' }))).toEqual({ first: undefined, last: undefined });
  });
});

describe('the events of a job', () => {
  const events = async (files: JobFiles, last?: string) => {
    const sent: [string, string, object][] = [];
    await new Promise<void>((resolve) => {
      const stream = {
        send: (event: string, id: string, data: object) => void sent.push([event, id, data]),
        isDrained: true,
        end: resolve,
        onClose: () => undefined,
      };
      followJob(stream, files, positionOf(last, files), () => ({ state: 'done' }) as JobData);
    });
    return sent;
  };

  it('have all of it, also lines that are longer than what is sent at once, from any id on', async () => {
    const long = `{"type":"progress","x":"${'y'.repeat(300_000)}"}\n`;
    const output = `${'z'.repeat(50_000)}é`;
    const files = filesWith({ progress: begun + long + ended(0), output });
    const all = await events(files);
    const progress = (sent: typeof all) => sent.flatMap(([event, , data]) => (event === 'progress' ? [data] : []));
    const texts = (sent: typeof all) => sent.map(([, , data]) => (data as { text?: string }).text ?? '').join('');
    expect(progress(all)).toMatchObject([{ type: 'start' }, { type: 'progress' }, { type: 'end' }]);
    expect(texts(all)).toBe(output);
    for (const [place, [, id]] of all.entries()) {
      if (id.endsWith('-end')) continue;
      const [rest, again] = [all.slice(place + 1), await events(files, id)];
      expect(progress(again)).toEqual(progress(rest));
      expect(texts(again)).toBe(texts(rest));
    }
  });

  it('begin at the start for an id that is none of this job', async () => {
    const files = filesWith({ progress: begun });
    const ids = ['', 'x', '-1--1', '9'.repeat(14_000), '999999999999999-0', '0-999999999999999', '1e3-0', '0-0-END'];
    for (const id of ids) expect(positionOf(id, files), id.slice(0, 20)).toMatchObject({ progress: 0, output: 0 });
    expect(await events(files, '3-0')).toMatchObject([
      ['progress', `${begun.length}-0`, {}],
      ['end', `${begun.length}-0-end`, {}],
    ]);
  });
});

describe('a reader of events', () => {
  afterEach(() => vi.useRealTimers());

  /** An answer to a reader that takes what `take` lets pass. */
  function reader(take: (done: () => void) => void) {
    const raw = new Writable({
      highWaterMark: 16,
      write: (_chunk, _encoding, done) => {
        take(done);
      },
    });
    const reply = { raw: Object.assign(raw, { writeHead: () => undefined }), hijack: () => undefined };
    return { raw, reply: reply as unknown as FastifyReply };
  }

  it('is cut off where it takes nothing for long, or too much waits for it', async () => {
    vi.useFakeTimers();
    const streams = new EventStreams();
    const good = reader((done) => done());
    const stuck = reader(() => undefined);
    const slow = reader((done) => setTimeout(done, 20_000));
    const [, , late] = [good, stuck, slow].map(({ reply }) => streams.open(reply));
    expect(streams.count).toBe(3);
    await vi.advanceTimersByTimeAsync(20_000);
    late!.send('store', '1', {});
    await vi.advanceTimersByTimeAsync(40_000);
    expect([good, stuck, slow].map(({ raw }) => raw.destroyed)).toEqual([false, true, false]);
    late!.send('job', '2', { x: 'y'.repeat(2 << 20) });
    late!.send('job', '3', {});
    expect(slow.raw.destroyed).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(streams.count).toBe(1);
    streams.close();
    await vi.advanceTimersByTimeAsync(1);
    expect(streams.count).toBe(0);
    expect(vi.getTimerCount()).toBeLessThan(2);
  });
});
