/**
 * Packing a tree of 100,000 files in which nothing changed, again: `rfs pack --previous` beside what only looking at every file costs
 * (`find -printf`), and beside others who know unchanged files.
 * Usage: tools/with-node24 bench/repack.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../src/base/exec.ts';
import { type Bench, benchmark, inTurn, nodeStart, timed } from './benchmark.ts';
import { borgCreate, installed, type Packer, resticBackup, rfs, rfsPack } from './packers.ts';
import { markdownTable } from './section.ts';
import { describeSize, sizeOf, smallFiles } from './trees.ts';

/** What there is to know of a file without opening it. */
const everything = '%P %y %m %n %i %D %U %G %s %T@ %C@ %l\\n';

await benchmark(import.meta.filename, { title: 'Packing again what has not changed', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const { present, remark } = await installed([rfsPack, borgCreate, resticBackup], bench.say);
  const tree = bench.fresh('tree');
  bench.say('making 100,000 files');
  smallFiles(tree, 100_000);
  await sleep(2000); // so that no packer takes the last of them for files that may still change unseen

  const ways: Record<string, () => Promise<number>> = {
    'find -printf': () => timed(bench, () => run('find', [tree, '-printf', everything])),
  };
  for (const packer of present) {
    const store = bench.fresh('store');
    await mkdir(store);
    bench.say(`${packer.name}: the first time`);
    await packer.prepare?.(store);
    await packer.pack(tree, store);
    let nth = 0;
    const again = packAgain(packer);
    ways[nameOf(packer)] = () => timed(bench, () => again(tree, store, ++nth));
  }

  const start = await nodeStart(bench);
  const seconds = await inTurn(bench, ways);
  const find = seconds['find -printf']!;
  const ours = nameOf(rfsPack);
  const rows = Object.entries(seconds).map(([name, taken]) => [
    `\`${name}\``,
    `${taken.toFixed(2)} s`,
    (taken / find).toFixed(1),
    name === ours ? ((taken - start) / find).toFixed(1) : '',
  ]);
  return [
    `${describeSize(sizeOf(tree))}, packed before. What has to be known of the files is in memory.`,
    '',
    ...markdownTable([['', 'time', 'of find', "beyond Node's start"], ...rows]),
    '',
    `\`find\` prints everything that can be known of a file without opening it. Node.js alone starts and ends in ${start.toFixed(3)} s. ${remark}`,
  ];
}

function nameOf({ name }: Packer): string {
  return name === rfsPack.name ? 'rfs pack --previous' : name;
}

function packAgain(packer: Packer): Packer['pack'] {
  if (packer !== rfsPack) return packer.pack;
  return async (tree, to, nth) => {
    const [previous, next] = [join(to, 'tree.fl'), join(to, `tree-${nth}.fl`)];
    await run(rfs, ['pack', '-q', '-m', next, '--previous', previous, '-s', `dir://${to}/blocks`, tree]);
  };
}
