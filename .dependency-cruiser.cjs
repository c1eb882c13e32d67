/**
 * The direction of dependencies, lowest first: a room may use the rooms of the rows above its own, and of its own row
 * only what `siblings` names. A directory under src/ that is not in the table is an error: give it its place here.
 */
const rows = [
  ['base'],
  ['platform', 'manifest', 'changeset'],
  ['store', 'mount'],
  ['transaction'],
  ['servicing'],
  ['history', 'verify'],
  ['app'],
  ['cli', 'http'],
];
const siblings = { mount: ['store'] };
/** Rooms that compute and do no I/O. */
const pure = ['manifest', 'changeset'];

const rooms = rows.flat();
const src = (names) => `^src/(${names.join('|')})/`;

const layering = rows.flatMap((row, index) =>
  row.map((room) => {
    const allowed = [...rows.slice(0, index).flat(), room, ...(siblings[room] ?? [])].filter(
      (name) => !(pure.includes(room) && name === 'platform'),
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

module.exports = {
  forbidden: [
    ...layering,
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
