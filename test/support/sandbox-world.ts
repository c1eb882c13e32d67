import { World, buildTiny } from './lamina.js';

/** A world with an empty store and the tiny root, which a test changes before it imports it as the base `b`. */
export class SandboxWorld extends World {
  readonly root: string;

  constructor(name: string) {
    super(name);
    this.root = buildTiny(this.path('tiny'));
  }

  /** Imports the root, and makes containers on it. */
  async containers(...names: string[]): Promise<void> {
    await this.run('base', 'import', 'b', this.root);
    for (const name of names) await this.run('create', name, '--base', 'b');
  }
}
