import { setTimeout as sleep } from 'node:timers/promises';
import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isId } from '../base/ids.js';
import { containerOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isLocked, lockHolder } from '../platform/lock.js';
import { namesIn, readTransaction } from '../store/index.js';
import type { Store } from '../store/index.js';
import { pingDriver } from './control.js';

/**
 * Words for who has a container to himself, as "in use by process 12 (update apply debian)", found out by all that tells it: the kernel's table of locks, which leaves out
 * holders in PID namespaces that cannot be seen from here; then the driver of a mount in another mount namespace; then the commands that work on the store.
 * Undefined: nobody has it any more.
 */
export async function describeUse(store: Store, manifest: Manifest, container: string): Promise<string | undefined> {
  const { work } = store.paths.node(containerOf(manifest, container).storage);
  const holder = lockHolder(work);
  const driver = await pingDriver(store.paths.control(container));
  if (driver !== undefined) {
    const who = holder ?? `process ${driver.pid} of another PID namespace`;
    return `mounted on ${display(fromText(driver.mountpoint))} in another mount namespace by ${who}`;
  }
  if (holder !== undefined) return `in use by ${holder}`;
  const commands = await activeCommands(store);
  if (commands.length === 0 && !(await staysLocked(work))) return undefined;
  return `in use in another PID namespace${commands.length === 0 ? '' : ` by ${commands.join(' or ')}`}`;
}

/** A process that ends has no command line any more (proc_pid_cmdline(5)) while it still has its files open. */
async function staysLocked(work: BytePath): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    if (!isLocked(work)) return false;
    await sleep(5);
  }
  return true;
}

/** Who works on the store, as each has written it down. */
async function activeCommands(store: Store): Promise<string[]> {
  const found: string[] = [];
  for (const id of namesIn(store.paths.transactions).filter((name) => isId(name, 't'))) {
    const paths = store.paths.transaction(id);
    const record = await readTransaction(paths);
    if (record === undefined || !isLocked(paths.lock)) continue;
    found.push(`process ${record.process} (${record.kind}, since ${record.created})`);
  }
  return found;
}
