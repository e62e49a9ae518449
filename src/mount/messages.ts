import type { ManifestColumns } from '../flist/manifest-columns.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import type { BlockRange } from './filesystem.ts';
import type { TraceNotes } from './trace-notes.ts';

/** Tells a worker of this project what it is for, when several kinds of worker start from one bundled file. */
export const mountWorkerRole = 'flist-mount';

/** What the worker of a mount gets as its `workerData`. */
export interface MountWorkerData {
  readonly role: typeof mountWorkerRole;
  /** The open `/dev/fuse`. */
  readonly device: number;
  readonly inodes: ManifestColumns;
  /** The directory of the block cache. */
  readonly cache: string;
  /** Where first touches of blocks are noted, when they are. */
  readonly trace: TraceNotes | undefined;
  /** The file of the table of open files, when that shall outlive this process. */
  readonly openFiles: number | undefined;
  /** See `SessionOptions.takeOver`. */
  readonly takeOver: NegotiatedSession | undefined;
  /** See `SessionOptions.givenUp`. */
  readonly givenUp: Int32Array;
}

/** What the worker of a mount says to the thread that started it. */
export type MountMessage =
  /** The worker is about to serve: now is the time to mount. */
  | { readonly type: 'ready' }
  /** The mount answers. */
  | { readonly type: 'started'; readonly session: NegotiatedSession }
  /** Request `unique` is to be answered with these ranges, some of which must be fetched. */
  | { readonly type: 'fetch'; readonly unique: bigint; readonly ranges: readonly BlockRange[] }
  | { readonly type: 'log'; readonly line: string };
