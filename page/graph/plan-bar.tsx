/* The graph as it would be after a merge or a rollback, by a dry run of it. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { apiPath, problemFrom } from '../api/client.js';
import type { Problem } from '../api/client.js';
import type { GraphData, MergeData, RollbackData } from '../api/documents.js';
import { dryRun } from '../api/dry-run.js';
import { counted, namesText, shown, sizeText } from '../base/text.js';
import { linkTo, linkWith } from '../base/route.js';
import type { Route } from '../base/route.js';
import { ProblemBox, Waiting } from '../parts/small.js';
import { afterMerge, afterRollback } from './plan.js';
import type { Planned } from './plan.js';

export interface Plan {
  readonly kind: 'merge' | 'rollback';
  /** Of a rollback: the update. */
  readonly update: string;
  readonly problem: Problem | undefined;
  readonly summary: string | undefined;
  readonly planned: ((graph: GraphData) => Planned) | undefined;
}

type Answer = { merge: MergeData } | { rollback: RollbackData } | { problem: Problem };

/** @param wanted `merge`, or `rollback` and the name of an update, after a colon */
export function usePlan(base: string, wanted: string | undefined): Plan | undefined {
  const [kind, update = ''] = (wanted ?? '').split(/:(.*)/s);
  const [answer, setAnswer] = useState<{ of: string; answer: Answer }>();
  useEffect(() => {
    if (kind !== 'merge' && kind !== 'rollback') return;
    const abort = new AbortController();
    const asked: Promise<Answer> =
      kind === 'merge'
        ? dryRun<MergeData>(apiPath(['bases', base, 'merge']), {}, abort.signal).then((merge) => ({ merge }))
        : dryRun<RollbackData>(apiPath(['updates', update, 'rollback']), {}, abort.signal).then((rollback) => ({
            rollback,
          }));
    asked
      .catch((error: unknown) => ({ problem: problemFrom(error) }))
      .then((found) => {
        if (!abort.signal.aborted) setAnswer({ of: `${base} ${kind}:${update}`, answer: found });
      })
      .catch(reportError);
    return () => abort.abort();
  }, [base, kind, update]);
  const current = answer?.of === `${base} ${kind ?? ''}:${update}` ? answer.answer : undefined;
  return useMemo(() => {
    if (kind !== 'merge' && kind !== 'rollback') return undefined;
    return { kind, update, ...read(current) };
  }, [kind, update, current]);
}

function read(answer: Answer | undefined): Pick<Plan, 'problem' | 'summary' | 'planned'> {
  if (answer === undefined) return { problem: undefined, summary: undefined, planned: undefined };
  if ('problem' in answer) return { problem: answer.problem, summary: undefined, planned: undefined };
  if ('merge' in answer)
    return {
      problem: undefined,
      summary: mergeText(answer.merge),
      planned: (graph) => afterMerge(graph, answer.merge),
    };
  const { rollback } = answer;
  return { problem: undefined, summary: rollbackText(rollback), planned: (graph) => afterRollback(graph, rollback) };
}

function mergeText({ steps, saved, updates }: MergeData): string {
  if (steps.length === 0) return 'There is nothing to merge.';
  const lost = updates.length === 0 ? '' : ` Can no longer be rolled back: ${namesText(updates, 5)}.`;
  const size = sizeText({ entries: Math.max(saved.entries, 0), bytes: Math.max(saved.bytes, 0) });
  return `${counted(steps.length, 'fold')}, which would save ${size}; no root changes.${lost}`;
}

function rollbackText({ updates, containers, staying }: RollbackData): string {
  const displaced = containers.reduce((sum, each) => sum + each.displaced.length, 0);
  const what = `Would roll back ${namesText(updates, 5)}; ${counted(displaced, 'path')} would be displaced.`;
  return staying.length === 0 ? what : `${what} Stays on its layer: ${namesText(staying, 5)}.`;
}

export function PlanBar({ plan, route }: { plan: Plan | undefined; route: Route }) {
  if (plan === undefined) return null;
  const isAfter = route.query.get('show') === 'after';
  const leave = linkWith(route, { plan: undefined, show: undefined });
  return (
    <section class="plan" aria-label="Plan">
      <h2>{plan.kind === 'merge' ? 'Merge' : `Rollback of ${shown(plan.update)}`}: a plan, nothing is changed</h2>
      {plan.problem !== undefined && <ProblemBox problem={plan.problem} />}
      {plan.problem === undefined && plan.summary === undefined && <Waiting what="the plan" />}
      {plan.summary !== undefined && (
        <>
          <p>{plan.summary}</p>
          <div class="choice" role="group" aria-label="Shown state">
            <a class="button" aria-current={!isAfter} href={linkWith(route, { show: undefined, node: undefined })}>
              Before
            </a>
            <a class="button" aria-current={isAfter} href={linkWith(route, { show: 'after', node: undefined })}>
              After
            </a>
          </div>
          <a
            href={
              plan.kind === 'merge'
                ? linkTo(['merge', route.path[1] ?? ''])
                : linkTo(['updates', plan.update, 'rollback'])
            }
          >
            To the {plan.kind}
          </a>
        </>
      )}
      <a href={leave}>Close plan</a>
    </section>
  );
}
