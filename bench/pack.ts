/**
 * Packing the modules of Debian's kernel, or DIRECTORY, into an empty store: how much of what the cores can do `rfs pack` reaches,
 * beside other packers of Debian.
 * Usage: tools/with-node24 bench/pack.ts [--rounds N] [--work DIRECTORY] [--write] [DIRECTORY]
 */
import { benchmark } from './benchmark.ts';
import { coldPack } from './cold-pack.ts';
import { sampleTree } from './trees.ts';

await benchmark(import.meta.filename, { title: 'Packing kernel modules', rounds: 5 }, async (bench) =>
  coldPack(bench, await sampleTree(bench), { otherRounds: Math.min(bench.rounds, 3) }),
);
