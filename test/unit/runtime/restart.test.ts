import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileStopped } from '../../../src/runtime/index.js';

describe('work while units are stopped', () => {
  const units = [{ container: 'web', unit: 'lamina-web.service' }];
  const onFault = vi.fn();
  let place: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-restart-'));
    vi.stubEnv('PATH', `${place}:${process.env['PATH'] ?? ''}`);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(place, { recursive: true });
  });

  it('is not begun where the command is interrupted while a unit does not stop', async () => {
    const log = join(place, 'log');
    const script = `#!/bin/sh\necho "$@" >>${log}\n[ "$1" != stop ] || exec sleep 100\n`;
    writeFileSync(join(place, 'systemctl'), script, { mode: 0o755 });
    const interrupted = new Error('interrupted');
    const controller = new AbortController();
    const work = vi.fn();
    const done = whileStopped(units, { onFault, signal: controller.signal }, work);
    setTimeout(() => {
      controller.abort(interrupted);
    }, 300);
    await expect(done).rejects.toBe(interrupted);
    expect(work).not.toHaveBeenCalled();
    expect(readFileSync(log, 'utf8')).toBe('stop lamina-web.service\nstart lamina-web.service\n');
    expect(onFault).not.toHaveBeenCalled();
  });
});
