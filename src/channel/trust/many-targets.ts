import { TargetFile, Targets } from '@tufjs/models';

/*
 * @tufjs/models reads and writes the targets of metadata by copying all of them for each one: ten thousand, which a
 * channel may have, take most of a minute, at every check. Whoever imports this file has them added one by one; all
 * else is as it was.
 */

// eslint-disable-next-line @typescript-eslint/unbound-method -- called with their own objects below
const [fromJSON, toJSON] = [Targets.fromJSON, Targets.prototype.toJSON];

const isRecords = (value: unknown): value is Record<string, never> =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((each) => typeof each === 'object' && each !== null);

Targets.fromJSON = (data) => {
  const { targets } = data;
  // What is not valid is refused as ever.
  if (!isRecords(targets)) return fromJSON(data);
  const read = fromJSON({ ...data, targets: {} });
  const files = Object.entries(targets).map(([path, file]) => [path, TargetFile.fromJSON(path, file)] as const);
  Object.assign(read, { targets: Object.fromEntries(files) });
  return read;
};

Targets.prototype.toJSON = function () {
  const written = toJSON.call(Object.create(this, { targets: { value: {} } }) as Targets);
  const files = Object.entries(this.targets).map(([path, file]) => [path, file.toJSON()] as const);
  return { ...written, targets: Object.fromEntries(files) };
};
