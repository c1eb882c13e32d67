/**
 * The direction of dependencies, lowest first: a room may use the rooms of the rows above its own, and of its own row
 * only what `siblings` names. A directory under src/ that is not in the table is an error: give it its place here.
 */
const rows = [
  ['base'],
  ['platform', 'manifest', 'changeset'],
  ['store', 'mount', 'journal'],
  ['sandbox', 'package', 'transaction'],
  ['capture'],
  ['replay'],
  ['update'],
  ['history', 'verify', 'containers'],
  ['data'],
  ['inbox', 'provenance'],
  ['app'],
  ['cli', 'http'],
];
const siblings = { mount: ['store'] };
/** Rows above that a room must do without: what services one container does not decide what is published. */
const without = { capture: ['transaction'], replay: ['transaction'] };
/** Rooms that only parse, call app and print: of the store and all that works on it they know what app gives them. */
const fronts = { cli: ['base', 'platform', 'data', 'app'], http: ['base', 'platform', 'data', 'app'] };
/** Rooms that others enter by their index.ts only. */
const closed = [
  ...['journal', 'sandbox', 'package', 'capture', 'replay', 'update'],
  ...['containers', 'data', 'inbox', 'provenance'],
];
/** Rooms that compute and do no I/O. */
const pure = ['manifest', 'changeset'];

const rooms = rows.flat();
const src = (names) => `^src/(${names.join('|')})/`;

const layering = rows.flatMap((row, index) =>
  row.map((room) => {
    const below = fronts[room] ?? [...rows.slice(0, index).flat(), ...(siblings[room] ?? [])];
    const allowed = [...below, room].filter(
      (name) => !(pure.includes(room) && name === 'platform') && !(without[room] ?? []).includes(name),
    );
    return {
      name: `layering-${room}`,
      comment: `src/${room} may import only: ${allowed.join(', ')}`,
      severity: 'error',
      from: { path: src([room]) },
      to: { path: '^src/', pathNot: src(allowed) },
    };
  }),
);

const entrances = closed.map((room) => ({
  name: `entrance-${room}`,
  comment: `other rooms import src/${room}/index.ts, not its files`,
  severity: 'error',
  from: { path: '^src/', pathNot: src([room]) },
  to: { path: src([room]), pathNot: `^src/${room}/index\\.ts$` },
}));

module.exports = {
  forbidden: [
    ...layering,
    ...entrances,
    {
      name: 'known-rooms',
      comment: 'a directory under src/ must have its place in the table of .dependency-cruiser.cjs',
      severity: 'error',
      from: { path: '^src/', pathNot: src(rooms) },
      to: {},
    },
    {
      name: 'pure-rooms',
      comment: 'manifest and changeset are pure: no I/O',
      severity: 'error',
      from: { path: src(pure) },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|util|assert|path)$' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-test-in-src', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
