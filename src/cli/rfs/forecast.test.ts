import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { writePrefetch } from '../../flist/trace/trace-prefetch.ts';
import { makePlaces, mountForTest, packSource, requireFuse, sh } from '../../mount/test-flist.ts';
import { rfs } from './test-rfs.ts';

beforeAll(requireFuse);

test('what a mount would fetch is said before, without mounting, and less when some of it is in the cache', async () => {
  const places = await makePlaces();
  const trace = join(places.source, '../trace');
  await writeFile(join(places.source, 'large'), Buffer.alloc(600_000, 'large '));
  await writeFile(join(places.source, 'small'), 'small');
  await packSource(places);
  const forecast = async (...more: string[]) => {
    const args = ['-m', places.manifest, '-c', places.cache, places.mountpoint, ...more];
    return (await rfs(['mount', '--forecast', ...args])).out;
  };
  expect(await forecast()).toBe(
    'everything: 2 files, 3 blocks, 586 KiB; in the cache 0 blocks, 0 B; to fetch 3 requests, 586 KiB\n',
  );
  expect(await readdir(places.mountpoint)).toEqual([]);
  const mounted = await mountForTest(places, { trace });
  await sh('cat $1/small', places.mountpoint);
  await mounted.unmount();
  await mounted.done;
  await writePrefetch([trace], { manifest: places.manifest, output: places.manifest, keep: 'most' });
  expect(await forecast()).toBe(
    'everything: 2 files, 3 blocks, 586 KiB; in the cache 1 blocks, 5 B; to fetch 2 requests, 586 KiB\n' +
      'as traced: 1 files, 1 blocks, 5 B; in the cache 1 blocks, 5 B; to fetch nothing\n',
  );
  expect(JSON.parse(await forecast('--json'))).toMatchObject({
    everything: { files: 2, requests: 2, bytesToFetch: 600_000 },
    traced: { files: 1, requests: 0, cachedBytes: 5 },
  });
  expect((await rfs(['mount', '--json', '-m', places.manifest, places.mountpoint])).code).toBe(2);
});
