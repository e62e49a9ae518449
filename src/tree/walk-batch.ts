import type { Found } from './walk-directory.ts';

/** Some of what a walk found, as it goes from one thread to another. */
export interface WalkBatch {
  readonly paths: readonly string[];
  /** So many of each. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly bigNumbers: BigInt64Array<ArrayBuffer>;
  /** Where the symbolic links point to, by their place in the batch. */
  readonly targets: ReadonlyMap<number, string>;
}

const [numbersOfEach, bigNumbersOfEach] = [8, 5];

/** In the place of a time that is not there. */
const none = -1n;

/** Puts a batch together. */
export function batchOf(found: readonly Found[]): WalkBatch {
  const paths: string[] = [];
  const numbers = new Float64Array(found.length * numbersOfEach);
  const bigNumbers = new BigInt64Array(found.length * bigNumbersOfEach);
  const targets = new Map<number, string>();
  for (const [place, { path, stats, target }] of found.entries()) {
    const { mode, nlink, uid, gid, rdev, size, mtime, mtimeNs, dev, state } = stats;
    numbers.set([mode, nlink, uid, gid, rdev, size, mtime, mtimeNs], place * numbersOfEach);
    bigNumbers.set(
      [dev, state.ino, state.mtimeNs, state.ctimeNs, state.pathNs ?? none],
      place * bigNumbersOfEach,
    );
    paths.push(path);
    if (target !== undefined) targets.set(place, target);
  }
  return { paths, numbers, bigNumbers, targets };
}

/** What is in a batch. */
export function* foundIn({ paths, numbers, bigNumbers, targets }: WalkBatch): Generator<Found> {
  for (const [place, path] of paths.entries()) {
    const at = place * numbersOfEach;
    const bigAt = place * bigNumbersOfEach;
    const target = targets.get(place);
    const pathNs = bigNumbers[bigAt + 4]!;
    const state = {
      ino: bigNumbers[bigAt + 1]!,
      mtimeNs: bigNumbers[bigAt + 2]!,
      ctimeNs: bigNumbers[bigAt + 3]!,
    };
    const stats = {
      mode: numbers[at]!,
      nlink: numbers[at + 1]!,
      uid: numbers[at + 2]!,
      gid: numbers[at + 3]!,
      rdev: numbers[at + 4]!,
      size: numbers[at + 5]!,
      mtime: numbers[at + 6]!,
      mtimeNs: numbers[at + 7]!,
      dev: bigNumbers[bigAt]!,
      state: pathNs === none ? state : { ...state, pathNs },
    };
    yield { path, stats, ...(target !== undefined && { target }) };
  }
}
