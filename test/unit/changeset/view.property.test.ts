import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View } from '../../../src/changeset/index.js';
import { listing, numRuns } from './arbitrary.js';
import { canonical, flatView, flatten } from './flat.js';

describe('a view', () => {
  it('shows what applying the trees one upon another gives', () => {
    fc.assert(
      fc.property(fc.array(listing({ moved: true }), { minLength: 1, maxLength: 4 }), (stack) => {
        expect(canonical(flatView(new View(stack)))).toEqual(canonical(flatten(stack)));
      }),
      { numRuns },
    );
  });
});
