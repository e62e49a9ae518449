/** What programs do with a mount: read it in every way, run from it, load libraries from it, lay an overlay on it. */
import { randomBytes, randomInt } from 'node:crypto';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../base/exec.ts';
import { blockSize } from '../flist/block/block-codec.ts';
import { makePlaces, mountForTest, type Places, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const reader = join(import.meta.dirname, 'read-ways.fixture.ts');

async function mounted(fill: (source: string) => Promise<unknown>): Promise<Places> {
  const places = await makePlaces();
  await fill(places.source);
  await packSource(places);
  await mountForTest(places);
  return places;
}

/** Programs and the libraries that they load, as a root directory. */
async function fillRoot(root: string): Promise<void> {
  for (const directory of ['bin', 'etc', 'proc', 'usr/lib'])
    await mkdir(join(root, directory), { recursive: true });
  await writeFile(join(root, 'etc/motd'), 'from the flist\n');
  await symlink('/bin/cat', join(root, 'etc/link-to-cat'));
  const programs = ['sh', 'ls', 'cat', 'sha256sum', 'grep'];
  const found = await sh('for p in "$@"; do readlink -f "$(command -v "$p")"; done', ...programs);
  for (const [index, file] of found.trim().split('\n').entries())
    await copyFile(file, join(root, 'bin', programs[index]!));
  const libraries = await sh("ldd $1/bin/* | grep -o '/[^ )]*' | grep -v ':$' | sort -u", root);
  for (const library of libraries.trim().split('\n')) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
}

test('pread, readv, mmap, O_DIRECT and sendfile of random ranges give what was packed', async () => {
  const files = {
    small: 1,
    page: 4096,
    block: blockSize,
    odd: 3 * blockSize + 4321,
    large: 9 * blockSize - 1,
  };
  const { source, mountpoint } = await mounted(async (directory) => {
    for (const [name, size] of Object.entries(files))
      await writeFile(join(directory, name), randomBytes(size));
  });
  const seed = randomInt(2 ** 31);
  const args = [reader, String(seed), '400', mountpoint, source, ...Object.keys(files)];
  const counts = JSON.parse((await run(process.execPath, args)).stdout.toString());
  expect(Object.keys(counts).sort(), `seed ${seed}`).toEqual(
    ['O_DIRECT', 'mmap private', 'mmap shared', 'pread', 'readv', 'sendfile'].sort(),
  );
});

test('programs run from a mount as their root, with the shared libraries in it', async () => {
  const { mountpoint, source } = await mounted(fillRoot);
  expect(await sh('chroot $1 /bin/sh -c "cat /etc/motd; /etc/link-to-cat /etc/motd"', mountpoint)).toBe(
    'from the flist\nfrom the flist\n',
  );
  const sums = (root: string) => sh('cd $1 && find . -type f -exec sha256sum {} + | LC_ALL=C sort', root);
  expect(await sums(mountpoint)).toBe(await sums(source));
  const inside = await sh('chroot $1 /bin/sh -c "cd /bin; sha256sum *"', mountpoint);
  expect(inside).toBe(await sh('cd $1/bin && sha256sum *', source));
});

test('an overlay on a mount takes changes, and programs run from it', async () => {
  const { mountpoint, source } = await mounted(fillRoot);
  const writable = join(source, '..', 'writable');
  await mkdir(writable);
  onTestFinished(() =>
    sh('umount -l $1/merged || true; umount -l $1 || true', writable).then(() => undefined),
  );
  await sh(
    `mount -t tmpfs tmpfs $2; mkdir $2/upper $2/work $2/merged
     mount -t overlay overlay -o lowerdir=$1,upperdir=$2/upper,workdir=$2/work $2/merged`,
    mountpoint,
    writable,
  );
  const merged = join(writable, 'merged');
  await sh('echo more >>$1/etc/motd; rm $1/bin/grep; echo new >$1/etc/new; mv $1/etc $1/etc2', merged);
  expect(await sh('chroot $1 /bin/cat /etc2/motd /etc2/new', merged)).toBe('from the flist\nmore\nnew\n');
  expect(await sh('cat $1/etc/motd; ls $1/bin | wc -l', mountpoint)).toBe('from the flist\n5\n');
});
