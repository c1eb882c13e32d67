import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { parseCapabilities } from './capabilities.js';
import type { Limits } from './limits.js';
import { additionsOf, hostResolver } from './root/additions.js';
import { planSandbox } from './root/plan.js';
import type { SandboxPlan } from './root/plan.js';
import { MountedRoot } from './root/reader.js';
import { SharedAdditions } from './root/shared-additions.js';
import { makeWorkingDirectory } from './root/working-directory.js';
import { runInSandbox } from './sandbox.js';
import type { Privileges, SandboxUsers } from './setup.js';
import type { SignalSource } from './signals.js';
import { checkUserIsThere, userOf } from './user.js';

export interface ContainerRunRequest {
  readonly container: string;
  /** Its root, mounted. */
  readonly root: BytePath;
  readonly command: readonly string[];
  readonly network: boolean;
  readonly signals: SignalSource;
  readonly options?: RunOptions | undefined;
}

/** What a user requests of a sandbox beyond, or below, the defaults. */
export interface RunOptions {
  readonly limits: Limits;
  /** A name or number of the root's own, `:` and a group. */
  readonly user?: string | undefined;
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly mayGainPrivileges: boolean;
  readonly users: SandboxUsers;
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** In the root, absolute; by default the root. */
  readonly workingDirectory?: string | undefined;
  /** Whether it is made where it is missing: an image states it, and nobody another one. */
  readonly makesDirectory?: boolean | undefined;
}

/** HOST_NAME_MAX, gethostname(2) */
const longestHostName = 64;

/**
 * Runs a command isolated in a container's root, for a person. Gives its exit code. What the sandbox needs in the root
 * leaves no trace in it.
 */
export async function runInContainer(request: ContainerRunRequest): Promise<number> {
  const { container, network } = request;
  const hostName = container.slice(0, longestHostName);
  const root = new MountedRoot(request.root);
  try {
    const plan = planSandbox(root, { network });
    checkMountPoints(container, plan);
    const privileges = privilegesOf(root, plan, request.options);
    const { workingDirectory, makesDirectory } = request.options ?? {};
    if (makesDirectory === true && workingDirectory !== undefined)
      makeWorkingDirectory(root, workingDirectory, Object.values(plan.mountPoints.paths));
    const resolver = resolverToShow(root, plan);
    const additions = additionsOf({ ...plan, network: plan.network.filter(({ missing }) => missing) }, hostName);
    const held = await SharedAdditions.make(root, additions, existingIn(plan));
    try {
      const { command, signals: interactive, options } = request;
      const common = { root: request.root, command, network, plan, resolver, hostName, interactive };
      const { environment, users = 'auto' } = options ?? {};
      const own = { limits: options?.limits, privileges, users, environment, workingDirectory };
      return (await runInSandbox({ ...common, ...own })).exitCode;
    } finally {
      held.release();
    }
  } finally {
    root.close();
  }
}

/** @throws LaminaError usage, notFound: no such capability, no such user; refused: the sandbox has no such user */
function privilegesOf(root: MountedRoot, { mountPoints }: SandboxPlan, options: RunOptions | undefined): Privileges {
  if (options === undefined) return {};
  const { user: given } = options;
  const user = given === undefined ? undefined : userOf(root, given, Object.values(mountPoints.paths));
  if (user !== undefined) checkUserIsThere(user, given ?? '');
  return {
    user,
    add: parseCapabilities('--cap-add', options.addedCapabilities),
    drop: parseCapabilities('--cap-drop', options.droppedCapabilities),
    mayGain: options.mayGainPrivileges,
  };
}

/** The user's container is not changed to make room for the sandbox. */
function checkMountPoints(container: string, { mountPoints }: SandboxPlan): void {
  const [name] = mountPoints.blocked;
  if (name === undefined) return;
  throw failed(`/${name} in container '${container}' does not lead to a directory that the sandbox can mount on`, {
    code: 'NO_SANDBOX',
    hint: `make /${name} a directory there: lamina mount ${display(fromText(container))} DIR`,
  });
}

/** What a killed run left at a place is removed by the next run. */
function existingIn({ mountPoints, network }: SandboxPlan): BytePath[] {
  const mounted = Object.values(mountPoints.paths).filter((path) => !mountPoints.missing.includes(path));
  return [...mounted, ...network.filter(({ inMount, missing }) => !inMount && !missing).map(({ path }) => path)];
}

/** A name resolution file of the container's own, to be covered by the host's; undefined where both are the same. */
function resolverToShow(root: MountedRoot, { network }: SandboxPlan): BytePath | undefined {
  const own = network.find(({ name, inMount, missing }) => name === 'resolv.conf' && !inMount && !missing);
  const hosts = own && hostResolver();
  if (own === undefined || hosts === undefined) return undefined;
  return root.read(own.path, hosts.length)?.equals(hosts) === true ? undefined : own.path;
}
