import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../base/exec.ts';
import { blockSize } from '../flist/block/block-codec.ts';
import { readManifest } from '../flist/manifest/manifest.ts';
import { writePrefetch } from '../flist/trace/trace-prefetch.ts';
import { makePlaces, mountForTest, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

/** Some small files, and a large one. */
async function packed() {
  const places = await makePlaces();
  await mkdir(join(places.source, 'dir'));
  for (const name of ['a', 'b', 'dir/c', 'd'])
    await writeFile(join(places.source, name), `content of ${name}`);
  await writeFile(join(places.source, 'empty'), '');
  await writeFile(join(places.source, 'large'), Buffer.alloc(20 * blockSize, 'large '));
  await packSource(places);
  return { ...places, trace: join(places.source, '../trace') };
}

async function linesOf(trace: string) {
  return (await readFile(trace, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | string>);
}

test('a mount records what programs read, cached or not, and a list is made of it', async () => {
  const { trace, ...places } = await packed();
  for (const script of [
    'cat d a empty; ls dir; stat b',
    'cat a dir/c; dd if=large bs=1 skip=$((19 * 524288)) count=1 status=none',
  ]) {
    const mounted = await mountForTest(places, { trace });
    await sh(`cd $1; { ${script}; } >/dev/null`, places.mountpoint);
    await mounted.unmount();
    await mounted.done;
    expect(mounted.lines).toEqual([]);
  }
  const lines = await linesOf(trace);
  const heads = lines.flatMap((line, index) => ('trace' in line ? [index] : []));
  expect(heads).toEqual([0, 3]);
  const touched = lines.map(({ path, first }) => (path === undefined ? 'mount' : `${path}:${first}`));
  expect(touched).toEqual(['mount', 'd:0', 'a:0', 'mount', 'a:0', 'dir/c:0', 'large:19']);
  expect(lines[1]).toMatchObject({ first: 0, last: 0, bytes: 'content of d'.length, ms: expect.any(Number) });

  const options = { manifest: places.manifest, output: places.manifest, keep: 'all' } as const;
  expect(await writePrefetch([trace], options)).toMatchObject({ mounts: 2, blocks: 1, dropped: 3 });
  const manifest = await readManifest(places.manifest);
  expect([...manifest.prefetch]).toEqual([{ ino: manifest.find('a')!.ino, first: 0, last: 0 }]);
});

test('a full disk ends the trace with a line in the log, whole lines and no harm to the mount', async () => {
  const { trace: disk, ...places } = await packed();
  await mkdir(disk);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=4096', 'tmpfs', disk]);
  onTestFinished(async () => void (await run('umount', ['-l', disk])));
  const trace = join(disk, 'trace');
  await writeFile(trace, `${' '.repeat(4000)}\n`);
  const mounted = await mountForTest(places, { trace });
  expect(await sh('cat $1/large | wc -c; cat $1/a', places.mountpoint)).toBe(
    `${20 * blockSize}\ncontent of a`,
  );
  await mounted.unmount();
  await mounted.done;
  expect(mounted.lines).toEqual([expect.stringMatching(/^the trace .* ends: .*ENOSPC/)]);
  expect((await readFile(trace, 'utf8')).slice(4001)).toMatch(/^\{"trace".*\}\n$/);
});

test('a trace that cannot be written is an error before anything is mounted', async () => {
  const { trace, ...places } = await packed();
  const mounting = mountForTest(places, { trace: join(trace, 'none') });
  await expect(mounting).rejects.toMatchObject({ hint: expect.stringContaining('--trace') });
  expect(await sh('mountpoint -q $1 || echo none', places.mountpoint)).toBe('none\n');
});
