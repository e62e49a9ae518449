/** For tests: the figures of a mount that has done something. */
import { Statistics } from '../statistics.ts';
import type { MountFigures } from './figures.ts';

export const mountedAt = Date.parse('2026-01-02T03:04:05Z');

/** Counts once what happens in a second. */
export function someSecond(statistics: Statistics): void {
  const thread = statistics.counter(0);
  thread.add('lookup', 20);
  thread.add('read', 100);
  thread.add('readsFromMemory', 70);
  thread.add('readsFromCache', 20);
  thread.add('readsWaited', 10);
  thread.add('readsFailed', 2);
  thread.add('readsLate');
  thread.add('bytesRead', 100 << 20);
  thread.add('blocksAsked', 10);
  for (let i = 0; i < 90; i++) thread.took('readAtOnce', 0.02);
  for (let i = 0; i < 10; i++) thread.took('readWaited', 20);
  for (let i = 0; i < 10; i++) thread.storeGave(0, 1 << 20, i === 9 ? 90 : 18);
  thread.storeFailed(1);
}

export function figuresOf(statistics: Statistics, change: Partial<MountFigures> = {}): MountFigures {
  return {
    mountpoint: '/mnt/root',
    flist: '/srv/root.fl',
    pid: 4242,
    mounted: mountedAt,
    now: mountedAt + 10_000,
    statistics: statistics.snapshot(),
    requests: [],
    ...change,
  };
}

/** Two stores and no figures yet. */
export const emptyStatistics = () => Statistics.create(['https://blocks.example.org/', 'dir:///srv/blocks']);
