import type { StatisticsSnapshot } from '../statistics.ts';

/** What a mount says of itself at one moment; plain, so that it is sent as JSON. */
export interface MountFigures {
  /** The real path of the directory. */
  readonly mountpoint: string;
  /** The path of the `.fl` file, or what else it is known by. */
  readonly flist: string;
  /** Of the process that serves it. */
  readonly pid: number;
  /** When it was mounted, and the moment of these figures, in milliseconds since the epoch. */
  readonly mounted: number;
  readonly now: number;
  readonly statistics: StatisticsSnapshot;
  /** Requests that are not answered yet, the oldest first; not all when there are many. */
  readonly requests: readonly LiveRequest[];
}

/** A READ that waits for blocks. */
export interface LiveRequest {
  /** Of the file, as in a `Tree`. */
  readonly path: string;
  /** Bytes of the file. */
  readonly offset: number;
  readonly size: number;
  /** How long it has been waiting. */
  readonly milliseconds: number;
}
