/* An action that changes the store: asked once more, started, and followed to its end. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { problemFrom } from '../api/client.js';
import type { Problem } from '../api/client.js';
import type { Job } from '../api/jobs.js';
import { Dialog } from './dialog.js';
import { JobProgress } from './job-progress.js';
import { ProblemBox } from './small.js';

interface Props {
  /** Of the button and the dialog: what is done. */
  readonly title: string;
  /** What will happen. */
  readonly children: ComponentChildren;
  readonly start: () => Promise<Job>;
  /** Called when the dialog of a started action is closed. */
  readonly done?: () => void;
  readonly danger?: boolean;
  /** False: it is not needed now. What was begun stays on the screen. */
  readonly offered?: boolean;
}

export function Action({ title, danger = false, offered = true, ...more }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      {offered && (
        <button type="button" class={danger ? 'danger' : 'primary'} onClick={() => setOpen(true)}>
          {title}
        </button>
      )}
      {isOpen && <ActionDialog title={title} danger={danger} close={() => setOpen(false)} {...more} />}
    </>
  );
}

/** The dialog alone, where its button is in a row that the action removes. */
export function ActionDialog({ title, danger = false, close, children, start, done }: Props & { close: () => void }) {
  const [job, setJob] = useState<string>();
  const [problem, setProblem] = useState<Problem>();
  const [isStarting, setStarting] = useState(false);
  const begin = async () => {
    setStarting(true);
    setProblem(undefined);
    try {
      setJob((await start()).id);
    } catch (error) {
      setProblem(problemFrom(error));
    } finally {
      setStarting(false);
    }
  };
  const leave = () => {
    close();
    if (job !== undefined) done?.();
  };
  return (
    <Dialog title={title} close={leave}>
      {job === undefined ? (
        <>
          <div>{children}</div>
          {problem !== undefined && <ProblemBox problem={problem} />}
          <footer>
            <button type="button" onClick={leave}>
              Cancel
            </button>
            <button
              type="button"
              class={danger ? 'danger' : 'primary'}
              disabled={isStarting}
              onClick={() => void begin()}
            >
              {title}
            </button>
          </footer>
        </>
      ) : (
        <>
          <JobProgress id={job} />
          <footer>
            <button type="button" onClick={leave}>
              Close
            </button>
          </footer>
        </>
      )}
    </Dialog>
  );
}
