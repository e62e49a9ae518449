import type { SharedCache } from '../cache/shared-cache.ts';
import type { ManifestColumns } from '../flist/manifest/manifest-columns.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import type { SharedBlockMemory } from './fetch/block-memory.ts';
import type { SharedFileStores } from './fetch/file-stores.ts';
import type { IoMode } from './io-mode.ts';
import type { SharedStatistics } from './statistics.ts';
import type { TraceNotes } from './trace-notes.ts';

/** Tells a worker of this project what it is for, when several kinds of worker start from one bundled file. */
export const mountWorkerRole = 'flist-mount';

/** What the thread that serves a mount gets as its first message. */
export interface MountWorkerData {
  /** The open `/dev/fuse`. */
  readonly device: number;
  readonly inodes: ManifestColumns;
  readonly memory: SharedBlockMemory;
  readonly statistics: SharedStatistics;
  /** Undefined when nothing is kept. */
  readonly cache: SharedCache | undefined;
  readonly io: IoMode;
  readonly stores: SharedFileStores;
  /** Whether `FlistXattrs` are given also where the flist has no attributes. */
  readonly xattrs: boolean;
  /** Where first touches of blocks are noted, when they are. */
  readonly trace: TraceNotes | undefined;
  /** The file of the table of open files, when that shall outlive this process. */
  readonly openFiles: number | undefined;
  /** The file of the log of requests, as that. */
  readonly requests: number | undefined;
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
  /** READ `unique` wants these bytes of the file in a row, some of which must be fetched. */
  | {
      readonly type: 'read';
      readonly unique: bigint;
      readonly row: number;
      readonly offset: number;
      readonly size: number;
    }
  /** Nobody waits for READ `unique` any more. */
  | { readonly type: 'interrupt'; readonly unique: bigint }
  /** A block that was fetched ahead is read; see `Scheduler.touched`. */
  | { readonly type: 'touched'; readonly row: number; readonly place: number }
  /** The file in a row shall be whole when it is opened again; see `FilePreparer`. */
  | { readonly type: 'prepare'; readonly row: number }
  | { readonly type: 'log'; readonly line: string };
