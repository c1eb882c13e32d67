import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takesLowersOneByOne } from '../../../src/mount/kernel/mount-calls.js';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { withHold } from '../../../src/transaction/index.js';
import { begunMount, codeOf, unmountAt, upperOf, within } from '../../support/snapshot-client.js';
import { serve } from './served.js';
import type { Served } from './served.js';

const requirement = isMachineRoot() && takesLowersOneByOne() ? '' : ' (needs root, and Linux 6.7)';

/** What containerd may do with a container of the store, and when that ends: src/mount/grant.ts. */
describe.skipIf(requirement !== '')(`a container that containerd was given${requirement}`, () => {
  let served: Served;
  let client: Served['client'];
  const mounted: string[] = [];

  beforeEach(async () => {
    served = await serve();
    ({ client } = served);
    const [mount] = await client.prepare('image-key');
    writeFileSync(join(mount!.source, 'file'), 'of the image\n');
    await client.commit('image', 'image-key');
    await client.prepare('web-key', 'image', { 'containerd.io/snapshot/dev.lamina.container': 'web' });
  });
  afterEach(async () => {
    for (const each of mounted.splice(0)) unmountAt(each);
    await served.stop();
  });

  const scratch = () => mkdtempSync(join(served.directory, 'place-'));
  /** A mount that has followed the grant, and is made when the result is called. */
  async function interruptedMount() {
    const goOn = begunMount(await client.mounts('web-key'));
    return () => {
      const place = scratch();
      goOn(place);
      mounted.push(place);
      return place;
    };
  }
  const hold = async (work: (check: () => void) => void) => {
    const manifest = await served.store.read();
    await withHold(served.store, async (held) => {
      await held.add(manifest, ['web']);
      work(() => {
        held.check(manifest);
      });
    });
  };
  const writeInto = (place: string) => {
    writeFileSync(join(place, 'late'), '');
  };

  it('is not changed by a mount that had followed the grant, and whoever took the container sees it', async () => {
    const goOn = await interruptedMount();
    await hold((check) => {
      check();
      const place = goOn();
      expect(() => {
        writeInto(place);
      }).toThrow('EROFS');
      expect(check).toThrow("container 'web' is in use by containerd, as snapshot 'web-key'");
    });
  });

  it('is not changed by such a mount that goes on after the command that took it', async () => {
    const goOn = await interruptedMount();
    await hold((check) => {
      check();
    });
    const place = goOn();
    expect(readFileSync(join(place, 'file'), 'utf8')).toBe('of the image\n');
    expect(() => {
      writeInto(place);
    }).toThrow('EROFS');
  });

  it('stays with containerd where the mount was made before', async () => {
    const place = (await interruptedMount())();
    await expect(hold(() => undefined)).rejects.toThrow("in use by containerd, as snapshot 'web-key'");
    writeInto(place);
    expect(existsSync(join(upperOf(await client.mounts('web-key')), 'late'))).toBe(true);
  });

  describe('whose mount is gone from all mount tables while a file of it is open', () => {
    let file = -1;

    beforeEach(async () => {
      const place = (await interruptedMount())();
      file = openSync(join(place, 'file'), 'r');
      unmountAt(place, { lazy: true });
      mounted.splice(0);
    });
    afterEach(() => {
      if (file !== -1) closeSync(file);
      file = -1;
    });

    it('is taken as soon as the kernel has let go of it', async () => {
      setTimeout(() => {
        closeSync(file);
        file = -1;
      }, 100);
      await hold((check) => {
        expect(file).toBe(-1);
        check();
      });
    });

    it('stays with containerd where that takes too long', async () => {
      await expect(hold(() => undefined)).rejects.toThrow("in use by containerd, as snapshot 'web-key'");
    });
  });

  it('is taken with all that a mount needs, and given again when containerd asks', async () => {
    const upper = upperOf(await client.mounts('web-key'));
    const granted = join(realpathSync(join(upper, '..')), 'work/granted');
    within(scratch(), await client.mounts('web-key'), writeInto);
    expect(existsSync(granted)).toBe(true);
    await hold(() => undefined);
    expect([existsSync(upper), existsSync(granted)]).toEqual([false, false]);
    // What a command leaves that is killed between the two.
    mkdirSync(join(granted, 'work'), { recursive: true });
    await hold(() => undefined);
    expect(existsSync(granted)).toBe(false);
    within(scratch(), await client.mounts('web-key'), (root) => {
      expect(existsSync(join(root, 'late'))).toBe(true);
    });
    expect(await codeOf(client.remove('web-key'))).toBe('OK');
    expect(existsSync(granted)).toBe(false);
  });
});
