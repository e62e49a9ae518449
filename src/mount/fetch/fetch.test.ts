import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { openRoutes, openStore } from '../../store/open.ts';
import { forecast, lookIntoCache } from '../forecast.ts';
import { mountForTest, type Places, packSource, requireFuse, sh } from '../test-flist.ts';

let places: Places;
/** Of what goes wrong; it is in the names of the tests. */
const seed = Math.floor(Math.random() * 1e6);

beforeAll(async () => {
  requireFuse();
  const root = await mkdtemp(join(tmpdir(), 'zosbuilder-test-'));
  const at = (name: string) => join(root, name);
  places = {
    source: at('source'),
    manifest: at('test.fl'),
    store: at('store'),
    cache: at('cache'),
    mountpoint: at('mnt'),
  };
  for (const directory of [places.store, places.mountpoint]) await mkdir(directory);
  // Enough for threads, with files of one block and of several, equal ones, and holes.
  const put = (path: string, content: Uint8Array | string) => writeFile(join(places.source, path), content);
  for (let directory = 0; directory < 6; directory++) {
    await mkdir(join(places.source, `d${directory}`), { recursive: true });
    for (let i = 0; i < 100; i++)
      await put(`d${directory}/f${i}`, i % 10 === 0 ? 'the same' : randomBytes((i * 997) % 20_000));
    await put(`d${directory}/big`, randomBytes(3_500_000));
  }
  await sh('truncate -s 3M $1/hole; printf end >>$1/hole', places.source);
  await packSource(places);
}, 60_000);

afterAll(() => rm(join(places.source, '..'), { recursive: true, force: true }));

/** Lets readers compare every file with its source, so many at a time, and returns the paths of those that differ or fail. */
const compare = (readers: number) =>
  sh(
    'cd $1; find . -type f -print0 | xargs -0 -P $3 -n 10 sh -c \'for f; do cmp -s "$f" "$0/$f" || echo "$f"; done\' $2',
    places.source,
    places.mountpoint,
    String(readers),
  );

/** Each mount has its own empty cache. */
const elsewhere = () => ({ cache: join(places.cache, randomBytes(4).toString('hex')) });

test('64 readers at once get every byte of a local directory, hardly a block fetched twice, in bounded memory', async () => {
  const store = await openStore(`dir://${places.store}`);
  const before = process.memoryUsage();
  const mounted = await mountForTest(places, { ...elsewhere(), store });
  expect(await compare(64)).toBe('');
  const { counters, stores } = mounted.statistics();
  const fetched = counters.blocksAsked + counters.blocksAhead + counters.blocksPrefetched;
  expect(fetched).toBeLessThan(1.05 * (600 + 6 * 7 + 1)); // what memory gave up before it was kept comes again
  expect(stores).toMatchObject([{ address: `dir://${places.store}`, failures: 0 }]);
  expect(counters.readsFailed).toBe(0);
  const { arrayBuffers } = process.memoryUsage();
  expect(arrayBuffers - before.arrayBuffers).toBeLessThan(96 << 20);
});

test('one reader after the other file is served ahead of his reads', async () => {
  const store = await openStore(`dir://${places.store}`);
  const mounted = await mountForTest(places, { ...elsewhere(), store });
  await sh('cat $1/d*/* | cmp - $2', places.mountpoint, await concatenated());
  const { counters } = mounted.statistics();
  expect(counters.blocksAhead).toBeGreaterThan(counters.blocksAsked);
  expect(counters.readsFromMemory).toBeGreaterThan(0);
});

async function concatenated(): Promise<string> {
  await sh('cat $1/d*/* >$2', places.source, `${places.source}.all`);
  return `${places.source}.all`;
}

test.each([seed])('replicas that fail, lie, cut and dawdle never show, seed %i', async (seed) => {
  const faults = 'fault=get:flip:0.2&fault=get:truncate:0.1&fault=get:error:0.05&fault=get:delay=2ms:0.2';
  const url = (rest: string) => `fault+dir://${places.store}?${rest}&seed=${seed}`;
  const route = (rest: string) => ({ start: 0x00, end: 0xff, url: url(rest) });
  const store = await openRoutes([route(`${faults}&retries=8`), route('fault=get:error:0.05&retries=8')]);
  await mountForTest(places, { ...elsewhere(), store });
  expect(await compare(8)).toBe('');
});

test.each([
  1, 2,
])('one store that fails and hangs gives right bytes or an error, in time, seed %i', async (seed) => {
  const faults = 'fault=get:flip:0.05&fault=get:truncate:0.05&fault=get:error:0.05&fault=get:hang:0.02';
  const store = await openStore(`fault+dir://${places.store}?${faults}&seed=${seed}`);
  const mounted = await mountForTest(places, { ...elsewhere(), store, deadline: 500 });
  const wrong = await sh(
    `cd $1; find . -type f -print0 | xargs -0 -P 16 -n 20 sh -c '
      for f; do
        out=$(cmp "$f" "$0/$f" 2>&1) && continue
        case $out in *"Input/output error"* | *"timed out"*) echo failed ;; *) echo "wrong: $out" ;; esac
      done' $2`,
    places.source,
    places.mountpoint,
  );
  const lines = wrong.trim().split('\n');
  expect(lines.filter((line) => line !== 'failed')).toEqual([]);
  expect(lines).not.toEqual(['']);
  expect(lines.length).toBeLessThan(300);
  expect(mounted.statistics().counters.readsFailed).toBeGreaterThan(0);
});

test('a store that goes away in the middle and comes back is survived', async () => {
  const store = await openStore(`dir://${places.store}`);
  await mountForTest(places, { ...elsewhere(), store });
  const half = sh('cat $1/d[012]/* | wc -c', places.mountpoint);
  await half;
  await rename(places.store, `${places.store}.away`);
  expect(
    await sh(
      'cat $1/d5/big 2>&1 | head -c 0; cat $1/d5/big >/dev/null 2>&1 || echo failed',
      places.mountpoint,
    ),
  ).toBe('failed\n');
  await rename(`${places.store}.away`, places.store);
  expect(await compare(4)).toBe('');
});

test('what was passed over while there was more to do is kept afterwards', async () => {
  const options = { ...elsewhere(), store: await openStore(`dir://${places.store}`) };
  const mounted = await mountForTest(places, options);
  expect(await compare(1)).toBe('');
  const { columns } = await readManifest(places.manifest);
  const missing = () => forecast(columns, lookIntoCache(columns, options.cache)).everything.requests;
  await expect.poll(missing, { timeout: 20_000, interval: 100 }).toBe(0);
  await mounted.unmount();
  await mounted.done;
  await rename(places.store, `${places.store}.away`);
  try {
    await mountForTest(places, options);
    expect(await compare(4)).toBe('');
  } finally {
    await rename(`${places.store}.away`, places.store);
  }
});
