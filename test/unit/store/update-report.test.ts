import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { readReport, reportedOf } from '../../../src/store/update-report.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

function stored(name: string, content: object) {
  const file = at(name);
  writeFileSync(toBuffer(file), JSON.stringify(content));
  return file;
}

describe('what a report says of a container', () => {
  it('is the engine by which it was mounted, where the procedure ran in it', async () => {
    const web = { engine: 'fuse', because: 'what lies below has hard links' };
    const report = await readReport(stored('engines', { engines: { web, db: { engine: 'kernel', because: null } } }));
    expect(reportedOf(report, 'web').engine).toEqual(web);
    expect(reportedOf(report, 'db').engine).toEqual({ engine: 'kernel', because: null });
    expect(reportedOf(report, 'idle').engine).toBeNull();
  });

  it('is nothing in reports of earlier versions, and where there is no report', async () => {
    const nothing = { because: null, engine: null, conflicts: [], failure: null };
    expect(reportedOf(await readReport(stored('earlier', { failures: { db: 'no' } })), 'web')).toEqual(nothing);
    expect(reportedOf(await readReport(at('none')), 'web')).toEqual(nothing);
  });

  it('is refused where it names an engine that there is not', async () => {
    const file = stored('damaged', { engines: { web: { engine: 'magic', because: null } } });
    await expect(readReport(file)).rejects.toMatchObject({ code: 'REPORT_DAMAGED' });
  });
});
