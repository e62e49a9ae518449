/** Flists and blocks of somebody who means harm, given to `rfs unpack`: each ends in a typed failure and changes nothing. */
import { createCipheriv } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Command } from 'commander';
import { compressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import { loadBlake2b } from '../../src/base/blake2b.ts';
import defineUnpack from '../../src/cli/rfs/unpack.ts';
import { type BlockRef, blockSize, encodeBlock } from '../../src/flist/block/block-codec.ts';
import { hostileManifests } from '../../src/flist/manifest/hostile-manifests.fixture.ts';
import { manifestOf, writeManifest } from '../../src/flist/manifest/manifest.ts';
import { manifestFile, sampleRows } from '../../src/flist/manifest/test-manifest.ts';
import { DirStore } from '../../src/store/dir/dir.ts';
import { testDirectory } from '../../src/store/test-directory.ts';
import { dumpTree } from '../../src/tree/dump.ts';
import { treeFromDirectory } from '../../src/tree/from-directory.ts';

/** Runs `rfs unpack` on a flist; its target and its cache lie beside it. */
async function unpack(flist: string): Promise<void> {
  const command = new Command().exitOverride().option('-q, --quiet');
  defineUnpack(command);
  const beside = (name: string) => join(dirname(flist), name);
  await command.parseAsync(['-q', '-m', flist, '-c', beside('cache'), beside('target')], { from: 'user' });
}

const state = async (directory: string) => dumpTree(await treeFromDirectory(directory));

describe('unpacking changes nothing for', () => {
  test.each(hostileManifests)('%s', async (_, sql, _why, kind = 'corrupt') => {
    const flist = await manifestFile(sql);
    const before = await state(dirname(flist));
    await expect(unpack(flist)).rejects.toMatchObject({ name: 'Failure', kind });
    expect(await state(dirname(flist))).toBe(before);
  });
});

const content = Buffer.concat([Buffer.alloc(blockSize, 'first '), Buffer.from('second')]);

/** A flist of one file in two blocks, and its store. */
async function twoBlocks() {
  const directory = await testDirectory();
  const store = new DirStore(join(directory, 'blocks'));
  const refs: BlockRef[] = [];
  for (const plain of [content.subarray(0, blockSize), content.subarray(blockSize)]) {
    const { ref, blob } = await encodeBlock(plain);
    await store.put(ref.id, blob);
    refs.push(ref);
  }
  const [root, , file] = sampleRows().inodes;
  const flist = join(directory, 'test.fl');
  const inodes = [root!, { ...file!, ino: 2, parent: 1, size: content.length }];
  const routes = [{ start: 0x00, end: 0xff, url: store.address }];
  await writeManifest(flist, manifestOf({ inodes, blocks: new Map([[2, refs]]), routes }));
  const blob = (n: number) => join(directory, 'blocks', refs[n]!.id.slice(0, 2), refs[n]!.id);
  return { directory, store, flist, blob };
}

type Flist = Awaited<ReturnType<typeof twoBlocks>>;

function change(flist: string, sql: string): void {
  const database = new DatabaseSync(flist);
  database.exec(sql);
  database.close();
}

/** Puts another block in the place of the second: this stream, encrypted under a key of its maker's choice. */
async function forge({ flist, store }: Flist, compressed: Uint8Array, key: Buffer): Promise<void> {
  const cipher = createCipheriv('aes-256-gcm', key, key.subarray(0, 12));
  const blob = Buffer.concat([cipher.update(compressed), cipher.final(), cipher.getAuthTag()]);
  const id = (await loadBlake2b())(blob);
  await store.put(id, blob);
  change(flist, `UPDATE block SET id = x'${id}', key = x'${key.toString('hex')}' WHERE rowid = 2`);
}

/** The state without the directory itself, in which the target came and went. */
const below = async (directory: string) => (await state(directory)).replace(/^.*\n/, '');

const keyOf = async (plain: Uint8Array) => Buffer.from((await loadBlake2b())(plain), 'hex');

describe('no file gets its name for', () => {
  test.each<[what: string, kind: string, harm: (flist: Flist) => Promise<void> | void]>([
    [
      'a block with the key of another',
      'corrupt',
      ({ flist }) => change(flist, 'UPDATE block SET key = (SELECT key FROM block WHERE rowid = 1)'),
    ],
    [
      'a block with a key of zeros',
      'corrupt',
      ({ flist }) => change(flist, 'UPDATE block SET key = zeroblob(32) WHERE rowid = 2'),
    ],
    [
      'blocks in the wrong order',
      'corrupt',
      ({ flist }) =>
        change(
          flist,
          'UPDATE block SET rowid = 9 WHERE rowid = 1; UPDATE block SET rowid = 1 WHERE rowid = 2',
        ),
    ],
    [
      'a size that is one byte too small',
      'corrupt',
      ({ flist }) => change(flist, 'UPDATE inode SET size = size - 1 WHERE ino = 2'),
    ],
    [
      'a size that is one byte too large',
      'corrupt',
      ({ flist }) => change(flist, 'UPDATE inode SET size = size + 1 WHERE ino = 2'),
    ],
    [
      'a block that says it has 4 GiB',
      'corrupt',
      (flist) => forge(flist, Buffer.from('ffffffff0f0061', 'hex'), Buffer.alloc(32, 1)),
    ],
    [
      'a block that has more bytes than a block can',
      'corrupt',
      async (flist) => {
        const plain = Buffer.alloc(1 << 20);
        await forge(flist, compressSync(plain), await keyOf(plain));
      },
    ],
    [
      'a block that says it has fewer bytes than it has',
      'corrupt',
      (flist) => forge(flist, Buffer.from('06404142434445464748', 'hex'), Buffer.alloc(32, 1)),
    ],
    [
      'a block whose key is not the digest of its bytes',
      'corrupt',
      (flist) => forge(flist, compressSync(Buffer.from('sixsix')), Buffer.alloc(32, 1)),
    ],
    ['a block that was cut off', 'corrupt', ({ blob }) => truncate(blob(1), 20)],
    ['an empty block', 'corrupt', ({ blob }) => truncate(blob(1), 0)],
    [
      'a block with one bit changed',
      'corrupt',
      async ({ blob }) => {
        const bytes = await readFile(blob(0));
        bytes[1000]! ^= 1;
        await writeFile(blob(0), bytes);
      },
    ],
    ['a block larger than any', 'corrupt', ({ blob }) => writeFile(blob(1), Buffer.alloc(2 << 20))],
    [
      'a block that is a link to another file',
      'corrupt',
      async ({ blob, directory }) => {
        await writeFile(join(directory, 'secret'), 'secret');
        await rm(blob(1));
        await symlink(join(directory, 'secret'), blob(1));
      },
    ],
    [
      'a block that is a directory',
      'unavailable',
      async ({ blob }) => {
        await rm(blob(1));
        await mkdir(blob(1));
      },
    ],
    ['a block that is not there', 'not-found', ({ blob }) => rm(blob(1))],
    [
      'a store that is not there',
      'not-found',
      ({ flist, directory }) => change(flist, `UPDATE route SET url = 'dir://${directory}/absent'`),
    ],
    [
      'a range of stores that leaves a block out',
      'not-found',
      ({ flist }) => change(flist, 'UPDATE route SET start = 0, "end" = 0'),
    ],
    [
      'a store of an unknown kind',
      'config',
      ({ flist }) => change(flist, `UPDATE route SET url = 'gopher://host/'`),
    ],
  ])('%s', async (_, kind, harm) => {
    const flist = await twoBlocks();
    await harm(flist);
    const before = await below(flist.directory);
    await expect(unpack(flist.flist)).rejects.toMatchObject({ name: 'Failure', kind });
    expect(await readdir(join(flist.directory, 'target')).catch(() => [])).toEqual([]);
    for (const name of ['target', 'cache'])
      await rm(join(flist.directory, name), { recursive: true, force: true });
    expect(await below(flist.directory)).toBe(before);
  });

  test('nothing of all that', async () => {
    const { flist, directory } = await twoBlocks();
    await unpack(flist);
    expect(await readFile(join(directory, 'target/file'))).toEqual(content);
  });
});
