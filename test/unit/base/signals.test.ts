import { describe, expect, it } from 'vitest';
import { exitCodeOf, signalNamed } from '../../../src/base/signals.js';

describe('the stop signal of an image', () => {
  it('has a name, with SIG or without, or a number', () => {
    expect(['SIGQUIT', 'QUIT', 'sigquit', '3'].map(signalNamed)).toEqual(Array(4).fill('SIGQUIT'));
    expect(['', 'SIG', 'SIGRTMIN+3', '99', '03', 'constructor', '__proto__'].map(signalNamed)).toEqual(
      Array(7).fill(undefined),
    );
    expect(exitCodeOf('SIGTERM')).toBe(143);
  });
});
