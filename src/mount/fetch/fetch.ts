import { availableParallelism } from 'node:os';
import { type SharedCache, shareCache } from '../../cache/shared-cache.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { sendReply } from '../../fuse/device.ts';
import type { LocalDirectory } from '../../store/local.ts';
import type { Store } from '../../store/store.ts';
import { Failover } from '../../store/wrappers/failover.ts';
import { Statistics } from '../statistics.ts';
import { BlockKeeper } from './block-keeper.ts';
import { BlockMemory, type SharedBlockMemory } from './block-memory.ts';
import { blockThreadRole } from './block-thread.ts';
import { BlockThreads } from './block-threads.ts';
import { FileStores } from './file-stores.ts';
import { Scheduler } from './scheduler.ts';
import { StoredBlocks } from './stored-blocks.ts';

export interface FetchOptions {
  readonly columns: ManifestColumns;
  readonly store: Store;
  /** The directory of the cache; undefined when nothing is kept. */
  readonly cache: string | undefined;
  /** The open `/dev/fuse`. */
  readonly device: number;
  /** The file that threads start from; see `MountFlistOptions.worker`. */
  readonly worker: URL;
  /** Milliseconds that the store has to answer. */
  readonly deadline: number;
  readonly log: (line: string) => void;
}

/** What brings the blocks of one mount. */
export interface Fetch {
  readonly scheduler: Scheduler;
  readonly memory: SharedBlockMemory;
  readonly statistics: Statistics;
  readonly stores: FileStores;
  /** Undefined when nothing is kept. */
  readonly cache: SharedCache | undefined;
}

/** More threads than these only wait for each other's memory. */
const mostThreads = 4;

/** Nothing may be asked of it before `initBlockCodec` was awaited. Nothing is contacted or started before the first block. */
export function startFetch(options: FetchOptions): Fetch {
  const { columns, store, device, deadline, log } = options;
  const cache = options.cache === undefined ? undefined : shareCache(options.cache);
  const memory = BlockMemory.share();
  const statistics = Statistics.create(store instanceof Failover ? store.addresses : [store.address]);
  const counter = statistics.counter(0);
  const stores = FileStores.create(columns.ino.length, statistics.shared.stores);
  const directories = directoriesOf(store);
  if (store instanceof Failover)
    store.onAnswer = ({ address, bytes, milliseconds }) => {
      const place = statistics.shared.stores.indexOf(address);
      if (bytes === undefined) counter.storeFailed(place);
      else counter.storeGave(place, bytes, milliseconds);
    };
  const threads = threadsWorth(columns);
  const scheduler: Scheduler = new Scheduler({
    columns,
    memory,
    stored: new StoredBlocks({ store, deadline, log }),
    keeper: cache && new BlockKeeper(cache, columns, log),
    directories,
    startThreads:
      threads === 0
        ? undefined
        : (events) =>
            new BlockThreads({
              ...events,
              worker: options.worker,
              count: threads,
              log,
              data: {
                role: blockThreadRole,
                device,
                columns,
                memory,
                cache,
                directories: directories.map((directory) => ({
                  ...directory,
                  store: statistics.shared.stores.indexOf(`dir://${directory.root}`),
                })),
                statistics: statistics.shared,
                stores: stores.shared,
                row: 2,
              },
            }),
    deadline,
    counter,
    onGiven: (row, address) => stores.gave(row, stores.shared.addresses.indexOf(address)),
    reply: (unique, answer) => sendReply(device, unique, answer),
  });
  return { scheduler, memory, statistics, stores, cache };
}

function directoriesOf(store: Store): readonly LocalDirectory[] {
  if (store instanceof Failover) return store.directories;
  return store.direct === undefined ? [] : [{ start: 0x00, end: 0xff, root: store.direct.root }];
}

/** Threads for a flist: none where there is one core, or so little to read that the main thread does it sooner. */
function threadsWorth({ size, blockRefs, mode }: ManifestColumns): number {
  const cores = availableParallelism();
  if (cores === 1) return 0;
  const isSmall = mode.length < 500 && blockRefs.length / 64 < 500 && size.every((bytes) => bytes < 16 << 20);
  return isSmall ? 0 : Math.min(cores, mostThreads);
}
