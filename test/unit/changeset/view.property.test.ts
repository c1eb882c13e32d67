import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View } from '../../../src/changeset/index.js';
import { listing, numRuns } from './arbitrary.js';
import { canonical, flatView, flatten } from './flat.js';

describe('a view', () => {
  it('shows what applying the trees one upon another gives', () => {
    fc.assert(
      fc.property(fc.array(listing({ moved: true }), { minLength: 1, maxLength: 4 }), (stack) => {
        const wanted = flatten(stack);
        const shown = flatView(new View(stack));
        // A metacopy that lost its data: the kernel may still find some, below an opaque directory; no rule says which.
        for (const [path, node] of wanted) {
          if (node.file && node.content === undefined && shown.has(path))
            shown.set(path, { ...shown.get(path)!, content: undefined });
        }
        expect(canonical(shown)).toEqual(canonical(wanted));
      }),
      { numRuns },
    );
  });
});
