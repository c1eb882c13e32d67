import { counted, numberText } from '../base/text.js';
import { Badge } from '../parts/small.js';
import { outcomes } from './counts.js';
import type { Counts } from './counts.js';

/** Shares of containers by outcome, as a bar and in words. */
export function OutcomeBar({ counts }: { counts: Counts }) {
  const total = outcomes.reduce((sum, outcome) => sum + counts[outcome], 0);
  if (total === 0) return <span class="quiet">no container was on the base</span>;
  return (
    <div class="outcome-bar">
      <div class="bar" aria-hidden="true">
        {outcomes.map((outcome) =>
          counts[outcome] === 0 ? null : <span key={outcome} class={outcome} style={{ flexGrow: counts[outcome] }} />,
        )}
      </div>
      <span>
        {outcomes
          .filter((outcome) => counts[outcome] > 0)
          .map((outcome) => `${numberText(counts[outcome])} ${outcome}`)
          .join(', ')}
        {counts.conflicts > 0 && (
          <>
            {' '}
            <Badge tone="warn">{counted(counts.conflicts, 'conflict')}</Badge>
          </>
        )}
      </span>
    </div>
  );
}
