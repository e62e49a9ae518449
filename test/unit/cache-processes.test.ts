/** Several processes read, write, join, evict and hash one cache at a time. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { testDirectory } from '../../src/cache/test-cache.ts';
import { root } from './markdown.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6));
const compiled = join(root, 'node_modules/.cache/node-compile');

test(`processes that use one cache see right bytes or a miss, seed ${seed}`, async () => {
  const directory = join(testDirectory(), 'cache');
  const users = Array.from({ length: 3 }, (_, i) =>
    run(process.execPath, [join(root, 'test/unit/cache-user.ts'), directory, `${seed + i}`, '120'], {
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
      timeout: 50_000,
    }),
  );
  const seen = (await Promise.all(users)).map(({ stdout }) => JSON.parse(stdout.toString()));
  for (const { hits, misses } of seen) {
    expect(hits).toBeGreaterThan(50);
    expect(misses).toBeGreaterThan(10);
  }
  expect(readdirSync(join(directory, 'state/held'))).toEqual([]);
});
