/* The request that the form of an update sends. Pure. */

interface ApplyBody {
  readonly base: string;
  readonly procedure: string;
  readonly name?: string;
  readonly containers?: readonly string[];
  readonly network: boolean;
  readonly onFailure: 'abort' | 'skip';
}

/** @param query of the address of the form; @param firstBase where it names none */
export function applyBody(query: ReadonlyMap<string, string>, firstBase: string): ApplyBody {
  const text = (name: string) => (query.get(name) ?? '').trim();
  const containers = text('containers')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return {
    base: text('base') === '' ? firstBase : text('base'),
    procedure: text('procedure'),
    ...(text('name') === '' ? {} : { name: text('name') }),
    ...(containers.length === 0 ? {} : { containers }),
    network: query.get('network') === '1',
    onFailure: query.get('skip') === '1' ? 'skip' : 'abort',
  };
}
