import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as errors from '../../../src/base/errors.js';

describe('errors', () => {
  it('carry the exit codes that the command line promises', () => {
    const made = [errors.failed, errors.usage, errors.notFound, errors.refused, errors.damaged].map((make) =>
      make('x'),
    );
    expect(made.map((error) => error.exitCode)).toEqual([1, 2, 3, 4, 5]);
    expect(made.map((error) => error.code)).toEqual(['FAILED', 'USAGE', 'NOT_FOUND', 'REFUSED', 'DAMAGED']);
  });

  it('keep hint, code and cause', () => {
    const cause = new Error('disk');
    const error = errors.refused("container 'web' is mounted", { code: 'MOUNTED', hint: 'unmount it', cause });
    expect(error).toMatchObject({ code: 'MOUNTED', hint: 'unmount it', cause, kind: 'refused' });
    expect(error).toBeInstanceOf(Error);
  });

  it('wrap what is thrown, once', () => {
    const own = errors.damaged('x');
    expect(errors.toLaminaError(own)).toBe(own);
    expect(errors.toLaminaError('text')).toMatchObject({ exitCode: 1, message: 'text' });
    expect(errors.toLaminaError(new TypeError('bad'))).toMatchObject({ message: 'bad', cause: new TypeError('bad') });
  });

  it('tell errors of the operating system from others', () => {
    const thrown = (() => {
      try {
        return readFileSync('/nonexistent');
      } catch (error) {
        return error;
      }
    })();
    expect(errors.isSystemError(thrown)).toBe(true);
    expect(errors.isSystemError(thrown, 'EACCES', 'ENOENT')).toBe(true);
    expect(errors.isSystemError(thrown, 'EACCES')).toBe(false);
    expect(errors.isSystemError(errors.failed('x'), 'FAILED')).toBe(false);
  });

  it('say what to do where there is no space left', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, mkdir'), {
      code: 'ENOSPC',
      syscall: 'mkdir',
    });
    expect(errors.toLaminaError(full)).toMatchObject({
      code: 'NO_SPACE',
      hint: 'free some space on the file system of the store',
    });
    expect(errors.spaceHint(new Error('ENOSPC'))).toEqual({});
  });

  it('name the missing thing of a broken invariant', () => {
    expect(errors.must(0, 'zero')).toBe(0);
    expect(() => errors.must(undefined, 'the head')).toThrow(/the head is missing/);
  });
});
