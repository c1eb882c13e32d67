import { fromText, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

/** What lies in the directory of a channel. Only `public` is for servers; keys lie outside of it. */
export class Places {
  readonly settings: BytePath;
  readonly lock: BytePath;
  readonly keys: BytePath;
  /** What is served, pushed or copied. */
  readonly public: BytePath;
  /** Files of a change that is being made: not yet in force. */
  readonly staged: BytePath;
  /** The same, in force: each file only has to be moved to its place. */
  readonly pending: BytePath;

  constructor(readonly directory: BytePath) {
    const at = (name: string) => join(directory, fromText(name));
    this.settings = at('channel-settings.json');
    this.lock = at('lock');
    this.keys = at('keys');
    this.public = at('public');
    this.staged = at('staged');
    this.pending = at('pending');
  }

  /** A path of the channel (names.ts) below `public`. */
  published(path: string): BytePath {
    return join(this.public, fromText(path));
  }
}
