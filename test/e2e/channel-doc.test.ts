import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasAll, must } from '../support/exports.js';
import { World, buildTiny, checkout, copyTree, isRoot, run } from '../support/lamina.js';

const documents = new Map(
  ['docs/update-service.md', 'docs/following.md'].map((name) => [name, readFileSync(join(checkout, name), 'utf8')]),
);

/** The first block of a language in a section; in the part before the first section, where none is named. */
function block(document: string, section: string, language = 'sh'): string {
  const text = documents.get(document) ?? '';
  const [, own = ''] = section === '' ? ['', text] : text.split(`\n## ${section}\n`);
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(own.split('\n## ')[0] ?? '')?.[1];
  if (found === undefined) throw new Error(`${document} has no ${language} block in '${section}'`);
  return found;
}
const service = (section: string, language?: string) => block('docs/update-service.md', section, language);
const following = (section: string, language?: string) => block('docs/following.md', section, language);

/** Steps of a test, and what each printed, by name. */
type Steps = readonly (readonly [name: string, commands: string])[];

const wait = (what: string) => `for i in $(seq 600); do ${what} && break; sleep 0.05; done`;
/** The program itself, where a signal must end it, and not only the shell's function. */
const program = '"$node" "$cli"';
const names = ['updates.example.org', 'registry.example.org'];

describe.skipIf(!isRoot || !hasAll('openssl', 'nginx', 'docker-registry', 'podman', 'python3'))(
  'the how-tos of the update service',
  () => {
    const world = new World('channel-doc');

    beforeAll(async () => {
      const directory = join(world.makeDirectory('work'), 'more-workers');
      mkdirSync(directory);
      const description = { version: 1, name: 'more-workers', base: 'debian', procedure: 'run' };
      writeFileSync(join(directory, 'update.json'), JSON.stringify(description));
      writeFileSync(join(directory, 'run'), "#!/bin/sh\nsed -i 's/^workers = .*/workers = 8/' /etc/app.conf\n", {
        mode: 0o755,
      });
      await world.run('init');
      await world.run('base', 'import', 'debian', buildTiny(world.path('base')));
      await world.run('create', 'web', '--base', 'debian');
      const [key, certificate] = [world.path('key.pem'), world.path('certificate.pem')];
      const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-x509', '-days', '2'];
      const files = ['-keyout', key, '-out', certificate, '-subj', '/CN=example.org', '-addext', alternatives];
      must('openssl', 'req', ...kind, ...files);
    });
    afterAll(() => {
      const left = world.mounts();
      world.remove();
      expect(left).toEqual([]);
    });

    /** Runs steps on a machine with a network, a /srv and a /media of its own; keys have no passphrase. */
    async function onMachine(name: string, prepare: string, steps: Steps): Promise<Record<string, string>> {
      copyTree(world.path('work'), world.path(name));
      copyTree(world.store, world.path(name, 'store'));
      const shown = steps.map(([step, commands]) => `echo "== ${step}"\n${commands}`).join('\n');
      const script = `set -e; ip link set lo up
mount --make-rprivate /; for d in /srv /media /run; do mount -t tmpfs none $d; done; mkdir -m 700 /media/stick
{ echo 127.0.0.1 localhost ${names.join(' ')}; } >${world.path(name, 'hosts')}
mount --bind ${world.path(name, 'hosts')} /etc/hosts; mkdir ${world.path(name, 'home')}
export HOME=${world.path(name, 'home')} LAMINA_STORE=${world.path(name, 'store')} LC_ALL=C.UTF-8
export NODE_EXTRA_CA_CERTS=${world.path('certificate.pem')} SSL_CERT_FILE=${world.path('certificate.pem')}
node='${process.execPath}'; cli='${world.cli}'
lamina() { [ "$1 $2" != 'channel init' ] || set -- "$@" --no-passphrase; "$node" "$cli" "$@"; }
cd ${world.path(name)}; trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
${prepare}
${shown}`;
      const done = await run('unshare', ['--mount', '--net', 'bash', '-c', script]);
      expect({ code: done.code, said: done.stdout + done.stderr }).toMatchObject({ code: 0 });
      const printed = Buffer.from(done.stdout, 'latin1').toString('utf8');
      return Object.fromEntries(
        printed
          .split(/^== /m)
          .slice(1)
          .map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]),
      );
    }

    it('publish an update, offer it, and withdraw it', async () => {
      const said = await onMachine('publish', '', [
        ['commands', service('')],
        ['status', 'lamina channel status /srv/channel'],
      ]);
      expect(said['commands']).toContain('published update more-workers as number 1, offered to the group canary');
      expect(said['commands']).toContain('withdrew update more-workers');
      expect(said['status']).toMatch(/^more-workers +withdrawn/m);
    });

    it('serve a channel from nginx, receive reports, and roll an update out', { timeout: 240_000 }, async () => {
      const location = following('Reports', 'nginx');
      const server = service('How to serve a channel from nginx', 'nginx').replace(/\}\n$/, `${location}}\n`);
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (each) => `${each}_temp_path /run/${each};`,
      );
      writeFileSync(
        world.path('nginx.conf'),
        `daemon off; master_process off; pid /run/nginx.pid; error_log stderr; events {}
http { access_log off; ${temporary.join(' ')} ssl_certificate ${world.path('certificate.pem')};
ssl_certificate_key ${world.path('key.pem')};
${server}}`,
      );
      const [first = '', agent = '', list = ''] = following('').trimEnd().split('\n');
      const [enroll = '', receive = '', status = '', machines = '', expel = ''] = following('Reports')
        .trimEnd()
        .split('\n');
      expect([agent, receive]).toEqual([
        expect.stringMatching(/^lamina agent /),
        expect.stringMatching(/^lamina channel receive /),
      ]);
      const rollout = following('Rollouts that stop by themselves');
      const unit = following('Rollouts that stop by themselves', 'ini');
      const [byTimer = ''] = [...unit.matchAll(/^ExecStart=(.*)$/gm)].map(([, words = '']) =>
        words.replaceAll('%%', '%'),
      );
      const prepare = `lamina channel init /srv/channel >/dev/null
nginx -c ${world.path('nginx.conf')} -p /run 2>nginx.log & ${wait("grep -q ':01BB ' /proc/net/tcp")}
mv /srv/channel/keys/root-* /srv/channel/keys/targets-* /media/stick/; cp /srv/channel/public/metadata/1.root.json root.json
lamina package build ./more-workers >/dev/null`;
      const said = await onMachine('nginx', prepare, [
        ['follow', first],
        [
          'agent',
          `${agent.replace('lamina agent', `${program} agent --spread 0 2>agent.log &`)}
${wait("grep -q 'base debian follows' agent.log")}; agent=$!`,
        ],
        ['list', `${list}\nkill $agent; wait $agent`],
        [
          'enroll',
          `key=$(lamina follow | sed -n 's/^ *key: //p'); machine=$(lamina follow | sed -n 's/^machine //p')
${enroll.replace(/ed25519:\S+/, '"$key"')}`,
        ],
        [
          'receive',
          `${receive.replace('lamina', program).replace(/( *#.*)?$/, ' 2>receive.log &')} ${wait("grep -q 'receiving reports' receive.log")}`,
        ],
        ['publish', rollout],
        [
          'once',
          `lamina follow https://updates.example.org --base debian --group canary --report https://updates.example.org/reports >/dev/null
lamina agent --once 2>&1`,
        ],
        ['status', status],
        ['machines', machines],
        ['timer', byTimer],
        ['expel', expel.replace(/m-[0-9a-f]{32}/, '"$machine"')],
        ['root', 'lamina run web -- cat /etc/app.conf'],
        ['prune', service('How to remove the files of old states').split('\n')[0] ?? ''],
      ]);
      expect(said['follow']).toContain('base debian follows https://updates.example.org\n');
      expect(said['follow']).toContain('  updates: Sat 02:00-04:00\n');
      expect(said['list']).toMatch(/^machine m-[0-9a-f]{32}$/m);
      expect(said['list']).not.toContain('no agent is running');
      expect(said['enroll']).toContain('1 machine enrolled');
      expect(said['publish']).toContain('offered to the group canary');
      expect(said['once']).toContain('update more-workers of base debian: applied');
      expect(said['status']).toMatch(/^more-workers +canary +1 +1 +0 +0 +0$/m);
      expect(said['machines']).toMatch(/^m-[0-9a-f]{32} .*more-workers: applied$/m);
      // It has been ok for no hour yet.
      expect(said['timer']).toContain('update more-workers stays at 0%: ');
      expect(said['expel']).toContain('1 machine expelled');
      expect(said['root']).toContain('workers = 8\n');
      expect(said['prune']).toContain('removed 0 files');
    });

    it('serve a channel from a registry, and carry it on a stick', { timeout: 240_000 }, async () => {
      const password = must(
        'python3',
        '-W',
        'ignore',
        '-c',
        "import crypt; print(crypt.crypt('secret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))",
      );
      writeFileSync(world.path('htpasswd'), `robot:${password}`);
      writeFileSync(
        world.path('registry.yml'),
        `version: 0.1
http: {addr: "127.0.0.1:443", tls: {certificate: ${world.path('certificate.pem')}, key: ${world.path('key.pem')}}}
auth: {htpasswd: {realm: test, path: ${world.path('htpasswd')}}}
storage: {filesystem: {rootdirectory: /srv/registry}}
`,
      );
      const unit = following('Rollouts that stop by themselves', 'ini');
      const push = [...unit.matchAll(/^ExecStart=(.*)$/gm)].at(-1)?.[1] ?? '';
      const [, stick = ''] =
        /^```sh\n(lamina follow.*?)^```$/ms.exec(documents.get('docs/update-service.md') ?? '') ?? [];
      const prepare = `docker-registry serve ${world.path('registry.yml')} >registry.log 2>&1 & ${wait("grep -q ':01BB ' /proc/net/tcp")}
podman() { command podman "$@" --username robot --password-stdin <<<secret; }
lamina channel init /srv/channel >/dev/null; cp /srv/channel/public/metadata/1.root.json root.json
lamina package build ./more-workers >/dev/null`;
      const once = 'lamina agent --once 2>&1';
      const said = await onMachine('registry', prepare, [
        ['keys', service('Roles and keys')],
        ['push', service('How to serve a channel from your registry')],
        ['follow', `lamina follow oci://registry.example.org/fleet/debian --base debian --root root.json; ${once}`],
        ['timer', push],
        ['prune', service('How to remove the files of old states')],
        ['root', 'lamina run web -- cat /etc/app.conf; lamina unfollow debian'],
        [
          'second',
          `lamina channel publish /srv/channel more-workers.tar --base debian --name second --keys /media/stick`,
        ],
        [
          'stick',
          `${service('How to carry a channel to machines without a network')}${stick.replace(/^lamina agent --once/m, once)}`,
        ],
      ]);
      expect(said['keys']).toContain('offered to all machines');
      expect(said['push']).toMatch(/^Login Succeeded!$/m);
      expect(said['push']).toMatch(/pushed state 2 to oci:\/\/registry.example.org\/fleet\/debian: \d+ files/);
      expect(said['follow']).toContain('update more-workers of base debian: applied');
      expect(said['timer']).toContain(': 0 files, 0 B');
      expect(said['prune']?.match(/removed 0 files/g)).toHaveLength(2);
      expect(said['root']).toContain('workers = 8\n');
      expect(said['stick']).toContain('base debian follows /media/stick/channel\n');
      // The base has the package already: only the stick knew of it as this update.
      expect(said['stick']).toMatch(/update second of base debian: (already in the base|no changes on this machine)/);
    });
  },
);
