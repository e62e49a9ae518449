import type { SentFailure } from '../../base/sent-failure.ts';
import type { JobResult } from './job.ts';

/** What a thread answers to a job. */
export type WorkerAnswer = { readonly result: JobResult } | { readonly failure: SentFailure };
