import { fromText, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

/** Where a machine keeps what it follows, and what it is known by. */
export class AgentPaths {
  constructor(readonly directory: BytePath) {}

  /** The private key by which the machine signs its reports. */
  get key(): BytePath {
    return join(this.directory, 'key');
  }
  /** Held by the agent that runs. */
  get lock(): BytePath {
    return join(this.directory, 'lock');
  }
  get socketName(): string {
    return 'socket';
  }
  /** A directory for each base that follows a channel. */
  get bases(): BytePath {
    return join(this.directory, 'bases');
  }
  base(name: string): FollowPaths {
    return followPaths(join(this.bases, fromText(name)));
  }
}

/** What is kept of a base that follows a channel. */
export interface FollowPaths {
  readonly directory: BytePath;
  /** Which channel, and how. Without it the base follows none. */
  readonly settings: BytePath;
  /** The channel's metadata and what is being downloaded. */
  readonly channel: BytePath;
  readonly downloads: BytePath;
  /** What became of each update here. */
  readonly outcomes: BytePath;
  /** The last report that was sent. */
  readonly reported: BytePath;
}

function followPaths(directory: BytePath): FollowPaths {
  return {
    directory,
    settings: join(directory, 'follow.json'),
    channel: join(directory, 'channel'),
    downloads: join(directory, 'downloads'),
    outcomes: join(directory, 'outcomes.json'),
    reported: join(directory, 'reported.json'),
  };
}
