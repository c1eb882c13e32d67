import { join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

const treeName = 'tree';
const workName = 'work';
const indexName = 'index';
const originsName = 'origins.json';
const tarHeadersName = 'tar-headers';

/** All names that the directory of a node can have. */
export const nodeNames = {
  tree: treeName,
  work: workName,
  index: indexName,
  origins: originsName,
  tarHeaders: tarHeadersName,
} as const;

/** The content of a node's directory. */
export class NodePaths {
  constructor(readonly directory: BytePath) {}
  get tree(): BytePath {
    return join(this.directory, treeName);
  }
  get work(): BytePath {
    return join(this.directory, workName);
  }
  /** The kernel's work directory for a mount of containerd's: src/mount/grant.ts. */
  get grantedWork(): BytePath {
    return join(this.work, 'granted');
  }
  get index(): BytePath {
    return join(this.directory, indexName);
  }
  /** Of a folded node: which update made what in it. */
  get origins(): BytePath {
    return join(this.directory, originsName);
  }
  /** Of an image layer: what, with the tree, makes its tar again. */
  get tarHeaders(): BytePath {
    return join(this.directory, tarHeadersName);
  }
  /** Valid only while the tree does not change. */
  get ofSealed(): readonly BytePath[] {
    return [this.index, this.origins];
  }
}
