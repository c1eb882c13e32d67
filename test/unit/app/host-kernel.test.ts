import { describe, expect, it } from 'vitest';
import { featuresOf } from '../../../src/app/host-kernel.js';
import type { KernelProbe } from '../../../src/mount/index.js';

const root = { parent: '/var/tmp', trusted: true };
const inNamespace = { parent: '/var/tmp', trusted: false };
const whole: KernelProbe = {
  mountCalls: undefined,
  lowers: true,
  tried: { trusted: { mount: undefined, off: [] }, userxattr: undefined },
};

/** What is there, by name. */
function found(probe: KernelProbe, place = root): Record<string, boolean> {
  const features = featuresOf(probe, place);
  for (const { available, hint } of features) expect(hint === null).toBe(available);
  return Object.fromEntries(features.map(({ name, available }) => [name, available]));
}

const all = {
  'kernel-engine': true,
  'overlay-lowers': true,
  'overlay-redirect-dir': true,
  'overlay-metacopy': true,
  'overlay-index': true,
  'overlay-userxattr': true,
};

describe('what lamina host says of the engine kernel', () => {
  it('is all there where the attempt found nothing that lacks', () => {
    expect(found(whole)).toEqual(all);
  });

  it('is one line where there is no overlayfs, or one that takes no lowers one by one', () => {
    const [none] = featuresOf({ mountCalls: 'ENODEV: no such device, fsopen', lowers: false }, root);
    expect(none?.detail).toContain('ENODEV');
    expect(none?.hint).toContain('modprobe overlay');
    expect(found({ mountCalls: undefined, lowers: false })).toEqual({ 'kernel-engine': false });
    expect(featuresOf({ mountCalls: undefined, lowers: false }, root)[0]?.hint).toContain('Linux 6.7');
  });

  it('names the options that the file system makes overlayfs switch off, and that another may have them', () => {
    const probe = {
      ...whole,
      tried: { trusted: { mount: undefined, off: ['metacopy', 'index'] }, userxattr: 'ENOTSUP' },
    };
    expect(found(probe)).toEqual({
      ...all,
      'kernel-engine': false,
      'overlay-metacopy': false,
      'overlay-index': false,
      'overlay-userxattr': false,
    });
    const [engine] = featuresOf(probe, root);
    expect(engine?.detail).toBe('overlayfs switches metacopy off');
    expect(engine?.hint).toContain('/var/tmp');
  });

  it('is the engine without its index, which only updates need', () => {
    const probe = { ...whole, tried: { trusted: { mount: undefined, off: ['index'] }, userxattr: undefined } };
    expect(found(probe)).toEqual({ ...all, 'overlay-index': false });
  });

  it('is nothing but the lowers where no mount can be made there at all', () => {
    const fault = 'the store lies on an overlayfs';
    const probe = { ...whole, tried: { trusted: { mount: fault, off: [] }, userxattr: fault } };
    expect(found(probe)).toEqual({
      ...Object.fromEntries(Object.keys(all).map((name) => [name, false])),
      'overlay-lowers': true,
    });
  });

  it('is in a user namespace the engine with marks in user.*, without redirects and metacopies', () => {
    const probe = { ...whole, tried: { trusted: undefined, userxattr: undefined } };
    expect(found(probe, inNamespace)).toEqual({
      ...all,
      'overlay-redirect-dir': false,
      'overlay-metacopy': false,
      'overlay-index': false,
    });
    expect(found({ ...whole, tried: { trusted: undefined, userxattr: 'ENOTSUP' } }, inNamespace)).toMatchObject({
      'kernel-engine': false,
      'overlay-userxattr': false,
    });
  });
});
