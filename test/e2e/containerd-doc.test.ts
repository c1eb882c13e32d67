import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerdWorld, containerdRequirement } from '../support/containerd.js';
import { checkout } from '../support/lamina.js';
import { inMachine } from '../support/user-namespace.js';

const document = readFileSync(join(checkout, 'docs/containerd.md'), 'utf8');

/** The blocks of a language in a section. */
function blocks(section: string, language: string): string[] {
  const [, text = ''] = document.split(`\n## ${section}\n`);
  const own = text.split('\n## ')[0] ?? '';
  return [...own.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);
}

describe.skipIf(containerdRequirement !== '')(`docs/containerd.md${containerdRequirement}`, () => {
  const world = new ContainerdWorld('containerd-doc');

  beforeAll(async () => {
    await world.run('init');
    world.buildImages();
    for (const tag of ['old', 'new']) {
      mkdirSync(world.path('work'), { recursive: true });
      writeFileSync(world.path('work', `shop-${tag}.tar`), readFileSync(world.path(`${tag}.tar`)));
    }
  });
  afterAll(async () => {
    await world.stopAll();
    const left = world.mounts();
    world.remove();
    expect(left).toEqual([]);
  });

  it('is a how-to whose commands do what it says', async () => {
    const [unit = ''] = blocks('Set up', 'ini');
    const [config = ''] = blocks('Set up', 'toml');
    const [first = ''] = blocks('Run a container', 'sh');
    const [keep = '', back = ''] = blocks('Keep a container', 'sh');
    const server = /^ExecStart=\/usr\/bin\/(.*)$/m.exec(unit)?.[1] ?? '';
    expect(server).toContain('lamina snapshotter');
    writeFileSync(
      world.path('config.toml'),
      `version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n${config}`,
    );
    const wait = (what: string) => `for i in $(seq 600); do ${what} && break; sleep 0.1; done`;
    const done = await inMachine(`set -e
export LAMINA_STORE=${world.store} CONTAINERD_NAMESPACE=${world.nameSpace}
lamina() { '${process.execPath}' '${world.cli}' "$@"; }
mount -t tmpfs none /run; mkdir -m 700 /run/lamina
mkdir -p /var/lib/containerd ${world.directory}/var; mount --bind ${world.directory}/var /var/lib/containerd
cd ${world.directory}/work
'${process.execPath}' '${world.cli}' ${server.replace(/^lamina /, '')} >&2 & snapshotter=$!
${wait('test -S /run/lamina/snapshotter.sock')}
containerd --config ${world.directory}/config.toml 2>${world.directory}/log & containerd=$!
${wait('ctr version >/dev/null 2>&1')}
set +e
( set -e
${first}
echo == keep
${keep}
update=$(lamina update list | grep -o 'shop-[0-9a-f]\\{12\\}' | head -n 1)
echo == back
${back.replace(/shop-[0-9a-f]{12}/, '$update')}
); code=$?
kill $containerd; wait $containerd; kill $snapshotter; wait $snapshotter
umount /var/lib/containerd
exit $code`);
    expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
    const [run = '', kept = '', undone = ''] = done.stdout.replaceAll('\r', '').split(/^== .*\n/m);
    expect(run).toContain('workers = ');
    expect(run).toMatch(/Committed/);
    expect(kept).toContain('port = 9090\n');
    expect(kept).toContain('workers = 8\n');
    expect(kept).toMatch(/^2$/m);
    expect(undone).toContain('port = 9090\n');
    expect(undone).not.toContain('workers = 8\n');
  });
});
