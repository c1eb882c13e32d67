/*
 * The address of a view is the part of the URL after '#': a path of names, and a query. Every state that somebody may
 * want to share or go back to is in it.
 */
import { useEffect, useState } from 'preact/hooks';
import { decoded, encoded, parseQuery, queryText } from './percent.js';

export interface Route {
  readonly path: readonly string[];
  readonly query: ReadonlyMap<string, string>;
}

type Query = Readonly<Record<string, string | undefined>>;

/** Reads what follows '#' of a URL. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  return {
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map(decoded),
    query: parseQuery(query),
  };
}

/** The address of a view, for `href`. Undefined and empty values are left out of the query. */
export function linkTo(path: readonly string[], query: Query = {}): string {
  return `#/${path.map(encoded).join('/')}${queryText(query)}`;
}

/** The same view with some values of its query set, or removed where they are undefined. */
export function linkWith(route: Route, changes: Query): string {
  return linkTo(route.path, { ...Object.fromEntries(route.query), ...changes });
}

export function go(address: string): void {
  location.hash = address;
}

/** Changes the address without a new step in the history: for what follows the pointer or the keyboard. */
export function replace(address: string): void {
  if (location.hash === address) return;
  history.replaceState(null, '', address);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => {
      setHash(location.hash);
    };
    addEventListener('hashchange', follow);
    return () => {
      removeEventListener('hashchange', follow);
    };
  }, []);
  return parseRoute(hash);
}
