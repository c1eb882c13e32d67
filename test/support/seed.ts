import fc from 'fast-check';

/**
 * Properties try the same cases in every run, so that a change is judged by what it changed. New cases come with
 * LAMINA_PROPERTY_RUNS, or with LAMINA_PROPERTY_SEED: a number, or `random`. A failure prints its seed.
 */
const seed =
  process.env['LAMINA_PROPERTY_SEED'] ?? (process.env['LAMINA_PROPERTY_RUNS'] === undefined ? '1' : 'random');
if (seed !== 'random' && !/^-?\d+$/.test(seed))
  throw new Error(`LAMINA_PROPERTY_SEED is "${seed}"; give a number or "random"`);
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
