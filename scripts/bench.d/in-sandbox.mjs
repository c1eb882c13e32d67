// Runs an update package's program in a root as `lamina update apply` runs it in a servicing mount.

/**
 * Seconds that it takes, the making of the sandbox included; what the sandbox needs in the root is there before.
 * @param functions of `functionsOf`
 * @param {string} root      a root, mounted or a plain directory
 * @param {string} directory the package
 * @param {string} program   its path in the package
 */
export async function timedInSandbox(functions, root, directory, program) {
  const { fromText, planSandbox, procedureHostName } = functions;
  const at = fromText(root);
  const mounted = new functions.MountedRoot(at);
  try {
    const plan = planSandbox(mounted, { network: false });
    functions.addToRoot(mounted, functions.additionsOf(plan, procedureHostName));
    let output = '';
    const start = process.hrtime.bigint();
    const result = await functions.runInSandbox({
      root: at,
      plan,
      command: [`${functions.shownDirectory(plan)}/procedure/${program}`],
      network: false,
      environment: { LAMINA_UPDATE: 'upgrade' },
      shown: new Map([['procedure', fromText(directory)]]),
      onOutput: (chunk) => (output = (output + chunk.toString('utf8')).slice(-4096)),
    });
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const failure = functions.failureOf(result, undefined);
    if (failure !== undefined) throw new Error(`the upgrade failed: ${failure}; it printed\n${output}`);
    return seconds;
  } finally {
    mounted.close();
  }
}
