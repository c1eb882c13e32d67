import { run } from './lamina.js';
import type { Finished } from './lamina.js';

/** The host's number of user 0 of these user namespaces; the others follow. */
export const firstUser = 300_000;

/**
 * A process holds the namespaces; who joins them has all capabilities there. The device node can be opened by every
 * user, as Debian has it, and lies on a file system of its own, because another may have no devices.
 */
const within = `
d=$(mktemp -d) && mount -t tmpfs -o mode=755 none $d && mknod -m 666 $d/fuse c 10 229 && mount --bind $d/fuse /dev/fuse
unshare --user --mount --propagation private sleep 600 & holder=$!
while [ "$(readlink /proc/$holder/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do sleep 0.01; done
for map in uid_map gid_map; do echo "0 ${firstUser} 65536" >/proc/$holder/$map; done
nsenter --target $holder --user --mount --setuid 0 --setgid 0 sh -c "$1"; code=$?
kill $holder; umount -l $d; rmdir $d; exit $code`;

/** What libfuse says of options that it does not know, as fuse-overlayfs gives them. */
const notes = /^unknown argument ignored:.*\n/gm;
async function runScript(script: string, ...args: string[]): Promise<Finished> {
  const ran = await run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, '-', ...args]);
  return { ...ran, stderr: ran.stderr.replaceAll(notes, '') };
}

/** Runs a script as root of a user namespace with a range of users, as rootless engines do. Needs root. */
export const inUserNamespace = async (script: string): Promise<Finished> => runScript(within, script);

/** Runs a script in a mount namespace of its own. */
export const inMachine = async (script: string): Promise<Finished> => runScript(script);
