import { availableParallelism } from 'node:os';

const most = 8;
const mostForMany = 4;
const many = 500_000;

/**
 * How many threads work on the blocks of a flist: one a core, within memory. Each takes some 25 MB and does some 300 MB a second, so that
 * more of them would wait for disk or network; and less memory is left for them where the manifest of many files takes much.
 */
export function blockThreads(files = 0): number {
  return Math.min(availableParallelism(), files > many ? mostForMany : most);
}
