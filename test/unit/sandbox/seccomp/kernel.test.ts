import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemCallFilter } from '../../../../src/sandbox/seccomp/filter.js';
import { buildProgram } from '../../../support/lamina.js';
import { decide } from './machine.js';

const numbers = 1000;
/** What the program ends with where the machine runs no calls of an architecture. */
const noSuchCalls = 77;
/** What the tried filter gives where the real one lets a call through: nothing is done, whatever the number. */
const letThrough = 3000;
const [give, allow, errno] = [0x06, 0x7fff0000, 0x00050000];

/**
 * Every call of each architecture that this machine's kernel runs programs of, made in a process under the filter: what
 * the kernel itself decides.
 */
describe.runIf(process.arch === 'x64')('the filter in the kernel', () => {
  let directory: string;
  let program: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamina-calls-'));
    program = join(directory, 'every-call');
    buildProgram('every-call.cc', program);
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it.for([
    ['x86-64', 0xc000003e, false],
    ['x86-64', 0xc000003e, true],
    ['i386', 0x40000003, false],
    ['i386', 0x40000003, true],
  ] as const)('decides every call of %s (%d) as the program says; traced: %s', ([name, audit, tracing], { skip }) => {
    const filter = systemCallFilter({ tracing });
    const tried = Buffer.from(filter);
    for (let at = 0; at < tried.length; at += 8)
      if (tried.readUInt16LE(at) === give && tried.readUInt32LE(at + 4) === allow)
        tried.writeUInt32LE(errno | letThrough, at + 4);
    const file = join(directory, 'filter');
    writeFileSync(file, tried);
    const { status, stdout } = spawnSync(program, [file, name, `${numbers}`], { encoding: 'utf8' });
    if (status === noSuchCalls) skip(`this machine runs no calls of ${name}`);
    expect(status).toBe(0);
    const decided = stdout.trim().split('\n');
    expect(decided).toHaveLength(numbers);
    const expected = decided.map((line, number) => {
      // uretprobe and uprobe go past every filter.
      if (name === 'x86-64' && [335, 336].includes(number)) return line;
      const decision = decide(filter, { architecture: audit, number, arguments: [0, 0, 0] });
      return `${number} ${decision === allow ? letThrough : decision & 0xffff}`;
    });
    expect(decided).toEqual(expected);
    expect(decided.filter((line) => line.endsWith(` ${letThrough}`)).length).toBeGreaterThan(200);
  });
});
