import { display, fromText } from '../base/bytes.js';
import { usage } from '../base/errors.js';

/** The part of an image's configuration that says how it is run (OCI image specification, config.md). */
export type RunConfig = Readonly<Record<string, unknown>>;

/** A change of it. */
export type ConfigEdit = (config: RunConfig) => RunConfig;

const hint =
  'give entrypoint=, cmd=, env=NAME=VALUE, user=, workdir=, label=NAME=VALUE, stopsignal=, port=80/tcp or volume=/PATH; see lamina export --help';

const editors: Readonly<Record<string, (value: string, text: string) => ConfigEdit>> = {
  entrypoint: (value, text) => set('Entrypoint', value === '' ? undefined : wordsOf(value, text)),
  cmd: (value, text) => set('Cmd', value === '' ? undefined : wordsOf(value, text)),
  env: environmentEdit,
  user: (value) => set('User', value === '' ? undefined : value),
  workdir: (value) => set('WorkingDir', value === '' ? undefined : value),
  label: labelEdit,
  stopsignal: (value) => set('StopSignal', value === '' ? undefined : value),
  port: (value, text) => member('ExposedPorts', withoutMinus(value), isPort, text),
  volume: (value, text) => member('Volumes', withoutMinus(value), isVolume, text),
};

/** A port, or a range of them. */
function isPort(text: string): boolean {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(?:tcp|udp|sctp))?$/.exec(text) ?? [];
  return Number(first) >= 1 && Number(last) >= Number(first) && Number(last) <= 65_535;
}

const isVolume = (text: string): boolean => /^\/[^\0]*$/.test(text);

/**
 * One `--config`: `KEY=VALUE`, by the words of umoci-config(1) and buildah-config(1). A value with a minus at its end
 * takes the variable, label, port or volume away; an empty one takes the setting away.
 * @throws LaminaError usage
 */
export function parseConfigEdit(text: string): ConfigEdit {
  const equals = text.indexOf('=');
  const editor =
    equals < 0 || !Object.hasOwn(editors, text.slice(0, equals)) ? undefined : editors[text.slice(0, equals)];
  if (editor === undefined) throw wrong(text, 'is not a setting of an image');
  return editor(text.slice(equals + 1), text);
}

function wrong(text: string, why: string) {
  return usage(`--config '${display(fromText(text))}' ${why}`, { hint });
}

function set(key: string, value: unknown): ConfigEdit {
  return (config) => {
    const { [key]: _, ...others } = config;
    return value === undefined ? others : { ...others, [key]: value };
  };
}

/** A list as JSON has it, else words as a shell splits them; nothing is expanded. */
function wordsOf(value: string, text: string): string[] {
  if (!value.trimStart().startsWith('[')) return splitWords(value, text);
  let list: unknown;
  try {
    list = JSON.parse(value);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!Array.isArray(list) || !list.every((word) => typeof word === 'string'))
    throw wrong(text, 'is not a JSON list of strings');
  return list;
}

const wordPart = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\([^])|([^\s'"\\]+)|(\s+)/y;

function splitWords(value: string, text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (wordPart.lastIndex = 0; wordPart.lastIndex < value.length;) {
    const found = wordPart.exec(value);
    if (found === null) throw wrong(text, 'has a quote without its end');
    const [, single, double, escaped, plain, space] = found;
    if (space === undefined)
      word = (word ?? '') + (single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain ?? '');
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  return word === undefined ? words : [...words, word];
}

interface Named {
  readonly name: string;
  readonly remove: boolean;
}

const withoutMinus = (value: string): Named =>
  value.endsWith('-') ? { name: value.slice(0, -1), remove: true } : { name: value, remove: false };

function environmentEdit(value: string, text: string): ConfigEdit {
  const { name, remove } = pairOf(value, text);
  const isIt = (each: unknown) => typeof each === 'string' && each.startsWith(`${name}=`);
  return (config) => {
    const before = Array.isArray(config['Env']) ? (config['Env'] as unknown[]) : [];
    const at = before.findIndex(isIt);
    const others = before.filter((each) => !isIt(each));
    if (!remove) others.splice(at < 0 ? others.length : at, 0, value);
    return set('Env', others.length === 0 ? undefined : others)(config);
  };
}

function labelEdit(value: string, text: string): ConfigEdit {
  const { name, remove } = pairOf(value, text);
  return changeRecord('Labels', name, remove ? undefined : value.slice(name.length + 1));
}

function pairOf(value: string, text: string): Named {
  const equals = value.indexOf('=');
  const pair = equals < 0 ? withoutMinus(value) : { name: value.slice(0, equals), remove: false };
  if (pair.name === '' || (equals < 0 && !pair.remove)) throw wrong(text, 'is neither NAME=VALUE nor NAME-');
  return pair;
}

function member(key: string, { name, remove }: Named, isValid: (name: string) => boolean, text: string): ConfigEdit {
  if (!isValid(name)) throw wrong(text, key === 'Volumes' ? 'is not an absolute path' : 'is not a port such as 80/tcp');
  const port = key === 'ExposedPorts' && !name.includes('/') ? `${name}/tcp` : name;
  return changeRecord(key, port, remove ? undefined : {});
}

function changeRecord(key: string, name: string, value: unknown): ConfigEdit {
  return (config) => {
    const { [name]: _, ...others } = recordOf(config[key]);
    const after = value === undefined ? others : { ...others, [name]: value };
    return set(key, Object.keys(after).length === 0 ? undefined : after)(config);
  };
}

function recordOf(value: unknown): RunConfig {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
