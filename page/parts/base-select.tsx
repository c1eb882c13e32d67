import type { BaseData } from '../api/documents.js';
import { shown } from '../base/text.js';

/** One base of those that the store has. */
export function BaseSelect(props: {
  readonly bases: readonly BaseData[];
  readonly value: string;
  readonly onSelect: (name: string) => void;
}) {
  // The list may not be there yet.
  const names = props.bases.map(({ name }) => name);
  const all = names.includes(props.value) || props.value === '' ? names : [props.value, ...names];
  return (
    <label>
      <span>Base</span>
      <select value={props.value} onChange={(event) => props.onSelect(event.currentTarget.value)}>
        {all.map((name) => (
          <option key={name} value={name}>
            {shown(name)}
          </option>
        ))}
      </select>
    </label>
  );
}
