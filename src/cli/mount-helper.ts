import { toLaminaError, usage } from '../base/errors.js';
import { Output } from './output.js';

/** mount(8), "EXIT STATUS": what was typed is wrong; the mount failed. */
const wrongUsage = 1;
const mountFailed = 32;

/** Where mount(8) is asked for the type `lamina`: scripts/mount.lamina calls it. Gives the exit code. */
export async function mountHelper(words: readonly string[]): Promise<number> {
  try {
    const { helperWords } = await import('../app/mount-options.js');
    const { containerOfSource } = await import('../app/mount-source.js');
    const given = helperWords(words);
    const asked = { ...given, container: containerOfSource(given.container) };
    if (asked.options.mode !== undefined && asked.options.engine === 'kernel')
      throw usage('mode= does nothing with engine=kernel', { hint: 'leave one of them out' });
    const { locateStore } = await import('../app/store-location.js');
    const root = locateStore(asked.store);
    await (await import('./as-owner.js')).workAsOwner(root);
    if (process.getuid?.() !== 0) (await import('./subordinate.js')).enterUsers(root);
    const { storeAt } = await import('../app/open-store.js');
    const { checkContainer, mountFromTable } = await import('../app/mount-table.js');
    if (asked.isFake) await checkContainer(storeAt(root), asked.container);
    else await mountFromTable(storeAt(root), asked);
    return 0;
  } catch (error) {
    new Output(false).error(error);
    return toLaminaError(error).kind === 'usage' ? wrongUsage : mountFailed;
  }
}
