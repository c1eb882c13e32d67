import { spawnSync } from 'node:child_process';

/** Machines on one network, each a network namespace of its own (ip-netns(8)); the first one is 10.77.0.1. */
export class Network {
  readonly #names: readonly string[];
  readonly #bridge: string;

  /** @param machines at most 200 */
  constructor(readonly machines: readonly string[]) {
    // Names of namespaces are those of the whole machine: the test may run several times at once.
    this.#names = machines.map((name) => `lamina-${String(process.pid)}-${name}`);
    this.#bridge = this.#names[0]!;
    try {
      this.#make();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #make(): void {
    for (const name of this.#names) {
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    ip('-n', this.#bridge, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', this.#bridge, 'link', 'set', 'br0', 'up');
    ip('-n', this.#bridge, 'address', 'add', '10.77.0.1/24', 'dev', 'br0');
    this.#names.slice(1).forEach((name, i) => {
      this.#connect(name, i + 2);
    });
  }

  #connect(name: string, number: number): void {
    const port = `port${String(number)}`;
    ip('-n', this.#bridge, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('-n', this.#bridge, 'link', 'set', port, 'master', 'br0', 'up');
    ip('-n', name, 'address', 'add', `10.77.0.${String(number)}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  }

  /** The words that run a program on a machine. */
  on(machine: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#names[this.machines.indexOf(machine)]!];
  }

  remove(): void {
    for (const name of this.#names) spawnSync('ip', ['netns', 'delete', name]);
  }
}

function ip(...words: string[]): void {
  const done = spawnSync('ip', words, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`ip ${words.join(' ')}: ${done.stderr}`);
}
