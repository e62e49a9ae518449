/** A process that writes a cache is killed at each of its steps. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forEachParallel } from '../../src/base/parallel.ts';
import { blocksGiven, gives, placeOf, putAll } from '../../src/cache/files.fixture.ts';
import { testDirectory, threadWith } from '../../src/cache/test-cache.ts';
import { blockSize } from '../../src/flist/block/block-codec.ts';
import { large, small } from './cache-writer.ts';
import { root } from './markdown.ts';

const everyStep = process.env['ZOSBUILDER_KILL_ALL'] === '1';
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1000));

const compiled = join(root, 'node_modules/.cache/node-compile');

async function work(directory: string, name: string, env: NodeJS.ProcessEnv): Promise<'done' | 'killed'> {
  const [program, killPoint] = ['cache-writer.ts', 'kill-point.ts'].map((file) =>
    join(root, 'test/unit', file),
  );
  const child = spawn(process.execPath, ['--import', killPoint!, program!, directory, name], {
    env: { ...process.env, NODE_COMPILE_CACHE: compiled, KILL_BELOW: directory, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === 'SIGKILL') return 'killed';
  expect(code).toBe(0);
  return 'done';
}

/** Every step, or twelve of them spread over all. */
function choose(steps: number): number[] {
  const stride = everyStep ? 1 : Math.max(1, steps / 12);
  const first = (seed % 100) / 100;
  return Array.from({ length: Math.floor(steps / stride) }, (_, i) => 1 + Math.floor((i + first) * stride));
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.min(blockSize, bytes.length - 1)]! ^= 1;
  writeFileSync(path, bytes);
}

const prepared: Readonly<Record<string, (directory: string) => void>> = {
  put() {},
  join() {},
  discard(directory) {
    const { cache } = threadWith(directory);
    for (const file of [large, small]) {
      putAll(cache, file);
      damage(placeOf(directory, file));
    }
  },
};

test.each(
  Object.keys(prepared),
)('%s, killed at any step, leaves what is right or nothing, and it is filled again', async (name) => {
  const ground = testDirectory();
  const start = join(ground, 'start');
  prepared[name]!(start);
  const copy = (to: string) =>
    cpSync(start, to, { recursive: true, force: true, ...(name !== 'discard' && { errorOnExist: false }) });
  const count = join(ground, 'count');
  const undisturbed = join(ground, 'undisturbed');
  if (name === 'discard') copy(undisturbed);
  await work(undisturbed, name, { KILL_COUNT: count });
  const steps = Number(readFileSync(count, 'utf8'));
  expect(steps).toBeGreaterThan(name === 'discard' ? 5 : 15);
  let killed = 0;
  await forEachParallel(choose(steps), availableParallelism(), async (step) => {
    const directory = join(ground, `step ${step}`);
    if (name === 'discard') copy(directory);
    if ((await work(directory, name, { KILL_AT: `${step}` })) === 'killed') killed++;
    const { cache } = threadWith(directory);
    // Wrong bytes throw.
    for (const file of [large, small]) blocksGiven(cache, file);
    for (const file of [large, small]) {
      putAll(cache, file);
      expect(gives(cache, file), `${name} killed at step ${step} (seed ${seed})`).toBe(true);
      expect([...cache.prepareWhole(file)].length).toBeLessThanOrEqual(file.count);
      cache.openWhole(file)!.close();
    }
    cache.close();
    rmSync(directory, { recursive: true });
  });
  expect(killed).toBeGreaterThan(0);
});
