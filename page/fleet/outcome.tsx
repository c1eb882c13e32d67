import { Badge } from '../parts/small.js';

const tones: Readonly<Record<string, 'good' | 'bad' | 'warn' | 'note'>> = {
  applied: 'good',
  already: 'good',
  unchanged: 'good',
  failed: 'bad',
  'rolled-back': 'warn',
  waiting: 'note',
};

/** What became of an update on a machine. */
export function MachineOutcome({ outcome }: { outcome: string }) {
  return <Badge tone={tones[outcome] ?? 'note'}>{outcome.replace('-', ' ')}</Badge>;
}
