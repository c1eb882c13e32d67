import type * as z from 'zod';
import * as bodies from './action-bodies.js';

/** What a field may name on the server; a relative path would be relative to nothing that the caller knows. */
export type Place = 'path' | 'image' | 'root';

/** What a request has done: a command, as a job. */
export interface Action {
  /** By default POST. */
  readonly method?: 'DELETE';
  /** With `:name` or `:id`, which is the first argument of the command. */
  readonly path: string;
  readonly summary: string;
  /** As in `lamina help`. */
  readonly command: string;
  /** What the name in the path is the name of, as the audit log shows it. */
  readonly of?: string;
  /** The options of the command under their names, and some of its arguments. */
  readonly body?: z.ZodObject;
  /** The fields of the body that are arguments, in their order. */
  readonly names?: readonly string[];
  /** The fields that name something on the server, and what that may be. */
  readonly places?: Readonly<Record<string, Place>>;
  readonly alwaysDry?: true;
  /** Of a body with which it only reads: whoever may read may have that done. */
  readonly onlyReads?: (body: Body) => boolean;
}

export type Body = Readonly<Record<string, unknown>>;

type Fields<Schema extends z.ZodObject> = keyof z.output<Schema> & string;

/** Checks that the fields are those of the body. */
const action = <Schema extends z.ZodObject>(
  row: Action & {
    readonly body: Schema;
    readonly names?: readonly Fields<Schema>[];
    readonly places?: Readonly<Partial<Record<Fields<Schema>, Place>>>;
  },
): Action => row;

const isDry = ({ dryRun }: Body) => dryRun === true;

/** Every action of the API. A preview runs a program that the caller chooses: that is more than to read. */
export const actions: readonly Action[] = [
  action({
    path: '/updates/preview',
    summary: 'as lamina update apply --dry-run: runs the procedure, and publishes nothing',
    command: 'update apply',
    body: bodies.previewBody,
    names: ['base', 'procedure'],
    places: { procedure: 'image' },
    alwaysDry: true,
  }),
  action({
    path: '/updates',
    summary: 'as lamina update apply',
    command: 'update apply',
    body: bodies.applyBody,
    names: ['base', 'procedure'],
    places: { procedure: 'image' },
  }),
  action({
    path: '/updates/:name/rollback',
    summary: 'as lamina rollback',
    command: 'rollback',
    of: 'update',
    body: bodies.rollbackBody,
    onlyReads: isDry,
  }),
  action({
    path: '/bases/:name/merge',
    summary: 'as lamina merge NAME',
    command: 'merge',
    of: 'base',
    body: bodies.mergeBody,
    onlyReads: isDry,
  }),
  action({
    path: '/updates/:name/redo',
    summary: 'as lamina update redo NAME|ID; options that are left out are those it had',
    command: 'update redo',
    of: 'update',
    body: bodies.redoBody,
  }),
  action({
    path: '/containers/:name/catch-up',
    summary: 'as lamina update catch-up NAME',
    command: 'update catch-up',
    of: 'container',
    body: bodies.catchUpBody,
  }),
  action({
    path: '/containers',
    summary: 'as lamina create',
    command: 'create',
    body: bodies.createBody,
    names: ['name'],
    places: { from: 'root' },
  }),
  {
    method: 'DELETE',
    path: '/containers/:name',
    summary: 'as lamina remove NAME',
    command: 'remove',
    of: 'container',
  },
  action({
    path: '/containers/:name/mount',
    summary: 'as lamina mount NAME DIR',
    command: 'mount',
    of: 'container',
    body: bodies.mountBody,
    names: ['directory'],
    places: { directory: 'path' },
  }),
  action({
    path: '/containers/:name/umount',
    summary: 'as lamina umount NAME',
    command: 'umount',
    of: 'container',
    body: bodies.umountBody,
  }),
  action({ path: '/gc', summary: 'as lamina gc', command: 'gc', body: bodies.gcBody, onlyReads: isDry }),
  action({
    path: '/verify',
    summary: 'as lamina verify',
    command: 'verify',
    body: bodies.verifyBody,
    names: ['nodes'],
    onlyReads: ({ repair }) => repair !== true,
  }),
  action({
    path: '/bases',
    summary: 'as lamina base import NAME SOURCE',
    command: 'base import',
    body: bodies.importBody,
    names: ['name', 'source'],
    places: { source: 'image' },
  }),
  action({
    path: '/displaced/:id/restore',
    summary: 'as lamina displaced restore ID [PATH]: to its container',
    command: 'displaced restore',
    of: 'displaced',
    body: bodies.restoreBody,
    names: ['path'],
  }),
  action({
    path: '/displaced/drop',
    summary: 'as lamina displaced drop',
    command: 'displaced drop',
    body: bodies.dropBody,
    names: ['ids'],
  }),
];
