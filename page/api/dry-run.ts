import { ApiProblem } from './client.js';
import { endOf, followJob, startJob } from './jobs.js';

/**
 * Runs a job that changes nothing, to its end. @returns its result
 * @throws ApiProblem as the command fails; DOMException where the signal ends it: the job continues by itself
 */
export async function dryRun<T>(path: string, body: object, signal: AbortSignal): Promise<T> {
  const { id } = await startJob(path, { ...body, dryRun: true });
  return new Promise<T>((resolve, reject) => {
    const stop = followJob(id, ({ job, problem }) => {
      const end = endOf(job);
      const failure = problem ?? end.problem;
      if (failure !== undefined) {
        stop();
        reject(new ApiProblem(0, failure));
      } else if (end.result !== undefined) resolve(end.result as T);
    });
    signal.addEventListener('abort', () => {
      stop();
      reject(signal.reason as DOMException);
    });
  });
}
