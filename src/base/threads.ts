import { availableParallelism } from 'node:os';

const most = 8;
const mostForMany = 3;
const many = 500_000;

/** What one thread has done before others have begun. */
const [fewFiles, fewBytes] = [500, 16 << 20];

/**
 * How many threads work on the blocks of a flist: one a core, within memory. Each takes some 25 MB and does some 300 MB a second, so that
 * more of them would wait for disk or network; and less memory is left for them where the manifest of many files takes much.
 */
export function blockThreads(files = 0): number {
  return Math.min(availableParallelism(), files > many ? mostForMany : most);
}

/** How many threads work on so many files and bytes is worth; 0 is the thread of the caller. */
export function threadsWorth(files: number, bytes: number): number {
  return bytes < fewBytes && files < fewFiles ? 0 : blockThreads(files);
}
