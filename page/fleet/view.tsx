import { useDocument } from '../api/use-document.js';
import { shown } from '../base/text.js';
import { Command, Empty, ProblemBox, Waiting } from '../parts/small.js';

/** Says that the server does not read channels: GET /fleet answers NO_CHANNEL. */
export function FleetView() {
  const { problem } = useDocument<unknown>('/fleet');
  return (
    <main class="page wide">
      <h1>Fleet</h1>
      {problem === undefined ? (
        <Waiting what="the fleet" />
      ) : problem.code === 'NO_CHANNEL' ? (
        <Empty title="No channel is published from here">
          <p>{shown(problem.message)}.</p>
          <p>A channel is a directory of its own. To see which machines follow it and how far its updates have come:</p>
          <Command>lamina channel status ./channel</Command>
        </Empty>
      ) : (
        <ProblemBox problem={problem} />
      )}
    </main>
  );
}
