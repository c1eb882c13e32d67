/* The small parts that all views are made of. */
import type { ComponentChildren } from 'preact';
import type { Problem } from '../api/client.js';
import type { Loaded } from '../api/use-document.js';
import { shown, shownLines, timeText, agoText } from '../base/text.js';
import { serverNow } from '../api/session.js';

type Tone = 'plain' | 'good' | 'note' | 'warn' | 'bad';
const signs: Readonly<Record<Tone, string>> = { plain: '', good: '✓', note: '•', warn: '▲', bad: '✕' };

/** A word about a state. The sign says the same as the colour. */
export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      {signs[tone] !== '' && <span aria-hidden="true">{signs[tone]} </span>}
      {children}
    </span>
  );
}

/** A failure, as the command line says it: what was wrong, and what to do. */
export function ProblemBox({ problem }: { problem: Problem }) {
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{shownLines(problem.message)}</strong>
      </p>
      {problem.hint !== null && <p>To do: {shownLines(problem.hint)}</p>}
      <p class="quiet">{shown(problem.code)}</p>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** In place of a form. */
export function ReadOnlyPage() {
  return (
    <Empty title="This page is read-only">
      <p>The server was started without --allow-changes, or your token is read-only.</p>
    </Empty>
  );
}

/** A command for the reader to type. */
export function Command({ children }: { children: string }) {
  return <code class="command">{children}</code>;
}

export function Waiting({ what }: { what: string }) {
  return (
    <p class="quiet waiting" role="status">
      Loading {what}…
    </p>
  );
}

/** Shows a document, or why it is missing. What was loaded before stays, with the problem above it. */
export function Shown<T>({
  of,
  what,
  children,
}: {
  of: Loaded<T>;
  what: string;
  children: (data: T) => ComponentChildren;
}) {
  return (
    <>
      {of.problem !== undefined && <ProblemBox problem={of.problem} />}
      {of.data !== undefined ? children(of.data) : of.problem === undefined && <Waiting what={what} />}
    </>
  );
}

export interface Tab {
  readonly name: string;
  readonly text: string;
  readonly address: string;
}

/** Links, because each has an address of its own. */
export function Tabs({ label, tabs, current }: { label: string; tabs: readonly Tab[]; current: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ name, text, address }) => (
        <a key={name} href={address} {...(name === current ? { 'aria-current': 'page' as const } : {})}>
          {text}
        </a>
      ))}
    </nav>
  );
}

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={timeText(at)}>
      {agoText(at, serverNow())}
    </time>
  );
}

/** Pairs of a word and its value. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([word, value]) => (
        <div key={word}>
          <dt>{word}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that scrolls sideways by itself on narrow screens. */
export function DataTable({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly string[];
  children: ComponentChildren;
}) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((word) => (
              <th key={word} scope="col">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export const outcomeTones: Readonly<Record<string, Tone>> = {
  changed: 'good',
  unchanged: 'plain',
  skipped: 'plain',
  failed: 'bad',
};

export function Outcome({ outcome }: { outcome: string }) {
  return <Badge tone={outcomeTones[outcome] ?? 'plain'}>{outcome}</Badge>;
}

const updateTones: Readonly<Record<string, Tone>> = {
  committed: 'good',
  merged: 'note',
  'rolled-back': 'warn',
  discarded: 'warn',
  failed: 'bad',
};

export function UpdateState({ state }: { state: string }) {
  return <Badge tone={updateTones[state] ?? 'plain'}>{state.replace('-', ' ')}</Badge>;
}
