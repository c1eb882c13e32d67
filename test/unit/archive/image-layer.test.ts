import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkImageLayer } from '../../../src/archive/image-layer.js';
import { fromText, join, toBuffer } from '../../../src/base/bytes.js';
import { TarRecorder } from '../../../src/image/index.js';
import { importTar } from '../../../src/store/index.js';
import { writeTar } from '../../support/tar-writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

/** A layer as `base import` leaves it. @param most bytes of replaced content that are kept */
async function imported(name: string, most: number) {
  const place = at(name);
  mkdirSync(toBuffer(place));
  const layer = { tree: join(place, 'tree'), tarHeaders: join(place, 'tar-headers') };
  const tar = writeTar([
    { name: 'a', content: 'first' },
    { name: 'a', content: 'second' },
  ]);
  writeFileSync(toBuffer(join(place, 'tar')), tar);
  const recorder = new TarRecorder(layer.tarHeaders, { replaced: most });
  const hooks = { file: () => undefined, tar: recorder.chunk };
  const sink = { onBytes: hooks, onFile: recorder.file, onReplace: recorder.replaced, special: () => false };
  await importTar(join(place, 'tar'), layer.tree, {}, sink);
  recorder.finish();
  return { layer, diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}` };
}

it('a layer of an image is taken only where its tar, made again, has the diff ID', async () => {
  const check = async (layer: Parameters<typeof checkImageLayer>[0]['layer'], diffId: string) =>
    checkImageLayer({ called: 'it', id: 'b-1', layer, diffId });
  const whole = await imported('whole', 1000);
  await check(whole.layer, whole.diffId);
  const corrupt = { code: 'CORRUPT_ARCHIVE', exitCode: 1 };
  await expect(check(whole.layer, `sha256:${'0'.repeat(64)}`)).rejects.toMatchObject(corrupt);
  writeFileSync(toBuffer(join(whole.layer.tree, fromText('a'))), 'secons');
  await expect(check(whole.layer, whole.diffId)).rejects.toMatchObject(corrupt);

  const lost = await imported('lost', 1);
  const unproven = { code: 'UNPROVEN_LAYER', exitCode: 4 };
  await expect(check(lost.layer, lost.diffId)).rejects.toMatchObject(unproven);
  rmSync(toBuffer(lost.layer.tarHeaders));
  await expect(check(lost.layer, lost.diffId)).rejects.toMatchObject(unproven);
});
