/**
 * Packing 2 GB of files of all kinds into an empty store, as bench/pack.ts does with kernel modules.
 * Usage: tools/with-node24 bench/pack-mixed.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { benchmark } from './benchmark.ts';
import { coldPack } from './cold-pack.ts';
import { mixedTree } from './trees.ts';

await benchmark(import.meta.filename, { title: 'Packing 2 GB of mixed files', rounds: 3 }, async (bench) =>
  coldPack(bench, await mixedTree(bench.fresh('mixed'), 2e9, bench.say), { otherRounds: 1 }),
);
