import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { testDirectory } from '../store/test-directory.ts';
import { unfinishedManifest } from './unfinished-manifests.ts';

test('what a killed writer of a manifest left is removed by the next one; what another writer or manifest has stays', async () => {
  const directory = await testDirectory();
  const path = join(directory, 'a.fl');
  const own = await unfinishedManifest(path);
  const { pid } = spawnSync('true');
  const of = (other: number | string) => own.replace(`-${process.pid}.`, `-${other}.`);
  const elsewhere = of(pid).replace(/[0-9a-f]{16}-/, '0123456789abcdef-');
  const kept = [own, of(1), elsewhere, of('x'), of(pid).replace('.a.fl.', '.b.fl.'), of(pid).slice(0, -1)];
  for (const name of [...kept, of(pid), path]) await writeFile(name, '');
  expect(await unfinishedManifest(path)).not.toBe(own);
  expect((await readdir(directory)).sort()).toEqual([...kept, path].map((name) => basename(name)).sort());
});

test('makes the directory of a manifest', async () => {
  const directory = join(await testDirectory(), 'new', 'one');
  await unfinishedManifest(join(directory, 'a.fl'));
  expect(await readdir(directory)).toEqual([]);
});
