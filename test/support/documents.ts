import { documentOf } from '../../src/app/json/schema.js';

const groups = ['base', 'update'];

/** The commands of which documents were checked in this process. */
export const checkedCommands = new Set<string>();

/** Checks what a command printed with --json against its schema. @param words what was typed, without --json */
export function checkDocument(words: readonly string[], printed: string): void {
  const [first = '', ...rest] = words[0] === '--store' ? words.slice(2) : words;
  const command = groups.includes(first) ? `${first} ${rest[0] ?? ''}` : first;
  const schema = documentOf(command);
  if (schema === undefined) throw new Error(`'${command}' has no schema in src/app/json/documents.ts`);
  const { success, error } = schema.safeParse(JSON.parse(printed));
  if (!success) throw new Error(`${words.join(' ')}: ${error.message}\n${printed}`);
  checkedCommands.add(command);
}
