import type { Target } from './target.ts';

const isChanged = (bytes: Buffer) => bytes.length === 0 || bytes[0] !== 0x21; // `!`, as an ar archive begins

/** Targets with the bugs that fuzzing is there to find. */
export const brokenTargets: readonly Target[] = [
  {
    name: 'a target that throws what is no failure',
    corpus: 'ars',
    run(bytes) {
      if (isChanged(bytes)) throw new TypeError('undefined is not a function');
    },
  },
  {
    name: 'a target that does not end',
    corpus: 'ars',
    run(bytes) {
      while (isChanged(bytes));
    },
  },
  {
    name: 'a target that takes too much memory',
    corpus: 'ars',
    run(bytes) {
      const kept: Buffer[] = [];
      while (isChanged(bytes)) kept.push(Buffer.alloc(32 << 20, 1));
    },
  },
];
