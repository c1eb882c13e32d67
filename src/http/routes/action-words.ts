import { display } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import type { Action, Body, Place } from './actions.js';

const places: Readonly<Record<Place, { readonly wrong: string; readonly hint: string }>> = {
  path: { wrong: 'is not an absolute path on the server', hint: 'give an absolute path' },
  image: {
    wrong: 'is neither an absolute path on the server nor an image',
    hint: 'give an absolute path, or an image with its transport, such as docker://debian:12',
  },
  root: { wrong: 'is not an absolute path on the server', hint: 'give an absolute path, podman:NAME or lxc:NAME' },
};

async function isPlace(text: string, place: Place): Promise<boolean> {
  if (text.startsWith('/')) return true;
  if (place === 'root') return /^(podman|lxc):/.test(text);
  return place === 'image' && (await import('../../app/import-image.js')).namesImage(text);
}

/** Options whose name is not that of their field. */
const optionNames: Readonly<Record<string, string>> = { containers: 'container' };
/** What commands do unless an option says no. */
const switchedOff = ['health'];

function optionWords(field: string, value: unknown): string[] {
  const option = `--${optionNames[field] ?? field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (switchedOff.includes(field)) return value === false ? [option.replace('--', '--no-')] : [];
  if (typeof value === 'boolean') return value ? [option] : [];
  return textsOf(value).map((text) => `${option}=${text}`);
}

const textsOf = (value: unknown): string[] =>
  value === undefined ? [] : (Array.isArray(value) ? (value as unknown[]) : [value]).map(String);

/**
 * The words of the command that an action runs. Values are joined to their options, and names come after `--`: what
 * begins with a dash is never taken for an option.
 * @param subject the name in the path of the request
 * @throws LaminaError usage: what should be a place on the server is none
 */
export async function actionWords(action: Action, subject: string | undefined, body: Body): Promise<string[]> {
  const { names = [] } = action;
  for (const [field, place] of Object.entries(action.places ?? {}))
    for (const text of textsOf(body[field]))
      if (!(await isPlace(text, place)))
        throw usage(`${field}: '${display(text)}' ${places[place].wrong}`, { hint: places[place].hint });
  const options = Object.entries(body).filter(([field]) => !names.includes(field));
  return [
    ...options.flatMap(([field, value]) => optionWords(field, value)),
    ...['--', ...(subject === undefined ? [] : [subject])],
    ...names.flatMap((field) => textsOf(body[field])),
  ];
}
