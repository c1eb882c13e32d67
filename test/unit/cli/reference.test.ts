import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { laminafsPage } from '../../../src/cli/manual/laminafs.js';
import { commandManPages, manFile } from '../../../src/cli/manual/man-pages.js';
import { markdownOf } from '../../../src/cli/manual/markdown.js';
import { mountLaminaPage } from '../../../src/cli/manual/mount-lamina.js';
import { commandPages } from '../../../src/cli/manual/page.js';
import { packageExamples, updateJsonPage } from '../../../src/cli/manual/update-json.js';
import { makeProgram } from '../../../src/cli/program.js';
import { packageJsonSchema, parsePackage } from '../../../src/package/update-json.js';
import { checkout } from '../../support/lamina.js';

const anyStore = 'LAMINA_STORE, else /var/lib/lamina, without root ~/.local/share/lamina';
const pages = commandPages(makeProgram(anyStore));
const driver = readFileSync(join(checkout, 'native/daemon/help.cc'), 'utf8');
const driverHelp = /help_text =\s*R"\((.*?)\)"/s.exec(driver)?.[1] ?? '';
const manPages = [
  ...commandManPages(pages),
  manFile(laminafsPage(driverHelp)),
  manFile(mountLaminaPage()),
  manFile(updateJsonPage(packageJsonSchema())),
];
const hasGroff = spawnSync('groff', ['--version']).status === 0;

describe('the reference of commands', () => {
  it('is what the program says: write it anew with npx vitest run test/unit/cli/reference.test.ts -u, if this fails', async () => {
    await expect(markdownOf(pages)).toMatchFileSnapshot(join(checkout, 'docs/reference/commands.md'));
  });

  it('has a page for each command, with all it has in its help', () => {
    const names = pages.map(({ name }) => name);
    expect(names).toContain('lamina update apply');
    expect(names).not.toContain('lamina help');
    const apply = pages.find(({ name }) => name === 'lamina update apply')!;
    expect(apply.usage).toBe('[options] <base> <procedure>');
    expect(apply.options.find(({ term }) => term === '--on-failure <what>')?.text).toMatch(/choices: "abort", "skip"/);
    expect(apply.paragraphs.join()).toMatch(/^A procedure is .* Exits with 6 if containers were left behind\.$/);
    expect(apply.examples[0]).toBe('lamina update apply debian ./upgrade.sh --name openssl-fix');
  });
});

describe('man pages', () => {
  it.each(manPages)('$file is what the program says: vitest -u, as above', async ({ file, content }) => {
    await expect(content).toMatchFileSnapshot(join(checkout, 'man', file));
  });

  it('are these and no others: remove the page of a command that there is no more', () => {
    const pages = new Set(manPages.map(({ file }) => file));
    // Of a missing one its snapshot reports the lack, or writes it.
    expect(readdirSync(join(checkout, 'man')).filter((file) => !pages.has(file))).toEqual([]);
  });

  it('name only pages that there are, but for those of the system', () => {
    const known = new Set(manPages.map(({ file }) => file.replace(/\.(\d)$/, '($1)')));
    const named = manPages.flatMap(({ content }) => content.split('.SH SEE ALSO\n')[1]?.trim().split(', ') ?? []);
    const system = ['mount(8)', 'fuse(4)'];
    expect(named.filter((name) => !known.has(name.replaceAll('\\', '')) && !system.includes(name))).toEqual([]);
  });

  it.runIf(hasGroff).each(manPages)('groff takes $file without a warning', ({ content }) => {
    const { status, stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-Kutf8', '-P-cbou'], {
      input: content,
    });
    expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
    expect(stdout.toString()).toContain('SYNOPSIS');
  });

  it('show examples of packages that are packages', () => {
    for (const example of packageExamples) expect(parsePackage(example)).toHaveProperty('fields');
  });

  it('have every option of the driver', () => {
    const page = laminafsPage(driverHelp);
    const rows = page.parts.find(({ title }) => title === 'OPTIONS')?.rows ?? [];
    expect(rows.find(({ term }) => term === 'mode=MODE')?.text).toMatch(
      /^stateless \(default\).*the driver sees all reads and changes$/,
    );
    expect(rows.map(({ term }) => term)).toEqual(
      expect.arrayContaining(['lowerindex=A:B', '-f', 'io_uring=auto|on|off']),
    );
  });
});
