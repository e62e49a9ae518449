import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { packSource as packFrom } from '../flist/pack.ts';
import { directorySource } from '../flist/pack-source.ts';
import { DirStore } from '../store/dir/dir.ts';
import { makePlaces, mountForTest, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

/** Prints the value of an attribute, or why there is none. */
const attribute = (mountpoint: string, name: string, file: string) =>
  sh('cd "$1"; getfattr --only-values -n "$2" "$3" 2>&1 || true', mountpoint, `user.flist.${name}`, file);

async function packed() {
  const places = await makePlaces();
  await mkdir(join(places.source, 'dir'));
  await writeFile(join(places.source, 'small'), 'small');
  await writeFile(join(places.source, 'large'), randomBytes(8 * blockSize));
  return places;
}

test('files tell of their blocks, of the cache and of their store, to who asks, and list nothing', async () => {
  const places = await packed();
  await packSource(places);
  const { mountpoint } = await mountForTest(places, { xattrs: true });
  const say = (name: string, file: string) => attribute(mountpoint, name, file);
  expect(await say('blocks', 'large')).toBe(`count=8 bytes=${8 * blockSize}`);
  expect(await say('cache', 'large')).toBe('none 0/8');
  expect(await say('store', 'large')).toContain('No such attribute');
  await sh('cat $1/small; dd if=$1/large bs=1 count=1 status=none', mountpoint);
  expect(await say('cache', 'small')).toBe('whole 1/1');
  expect(await say('cache', 'large')).toMatch(/^partial [1-7]\/8$/);
  expect(await say('store', 'large')).toBe(`dir://${places.store}`);
  expect(await sh('cd $1; getfattr -d -m - small large', mountpoint)).toBe('');
  await sh('cat $1/large | md5sum', mountpoint);
  expect(await say('cache', 'large')).toBe('whole 8/8');
  expect(await say('blocks', 'dir')).toContain('No such attribute');
});

test('without the option only a flist that has attributes of its own tells, and those are listed alone', async () => {
  const places = await packed();
  await packSource(places);
  const plain = await mountForTest(places);
  expect(await attribute(plain.mountpoint, 'blocks', 'small')).toContain('not supported');
  await plain.unmount();
  await plain.done;
  await sh('setfattr -n user.own -v value $1/small', places.source);
  await rm(places.manifest);
  const options = { manifest: places.manifest, store: new DirStore(places.store), routes: [] };
  await packFrom(await directorySource(places.source), options);
  const { mountpoint } = await mountForTest(places);
  expect(await attribute(mountpoint, 'blocks', 'large')).toBe(`count=8 bytes=${8 * blockSize}`);
  expect(await sh('cd $1; getfattr -d -m - small', mountpoint)).toBe('# file: small\nuser.own="value"\n\n');
});
