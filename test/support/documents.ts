import { documentOf } from '../../src/app/json/schema.js';

const groups = ['base', 'update', 'displaced', 'package', 'channel'];

/** Checks what a command printed with --json against its schema. @param words what was typed, without --json */
export function checkDocument(words: readonly string[], printed: string): void {
  const [first = '', ...rest] = words[0] === '--store' ? words.slice(2) : words;
  const command = groups.includes(first) ? `${first} ${rest[0] ?? ''}` : first;
  const schema = documentOf(command);
  const { success, error } = schema.safeParse(JSON.parse(printed));
  if (!success) throw new Error(`${words.join(' ')}: ${error.message}\n${printed}`);
}
