/* Fields of forms. */
import { useId } from 'preact/hooks';

interface TextProps {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly hint?: string;
}

export function TextField({ label, value, set, required = false, placeholder, hint }: TextProps) {
  const id = useId();
  return (
    <label>
      <span>{label}</span>
      <input
        value={value}
        required={required}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => set(event.currentTarget.value)}
        {...(placeholder === undefined ? {} : { placeholder })}
        {...(hint === undefined ? {} : { 'aria-describedby': id })}
      />
      {hint !== undefined && (
        <span class="quiet" id={id}>
          {hint}
        </span>
      )}
    </label>
  );
}

interface CheckProps {
  readonly text: string;
  readonly checked: boolean;
  readonly set: (on: boolean) => void;
}

export function CheckField({ text, checked, set }: CheckProps) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => set(event.currentTarget.checked)} />
      <span>{text}</span>
    </label>
  );
}
