import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { decodeName } from '../../base/names.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { type BlockRef, blockSize } from '../block/block-codec.ts';
import { type Inode, kindOfMode, modeOf } from './inode.ts';
import {
  type Manifest,
  type ManifestRows,
  manifestOf,
  type PrefetchRange,
  writeManifest,
} from './manifest.ts';

const metadata = { size: 0, uid: 0, gid: 0, rdev: 0, ctime: 1_700_000_000, mtime: 1_700_000_000 };

/** The rows of a small manifest with an entry of every kind, for tests. */
export function sampleRows(): ManifestRows & { readonly inodes: readonly Inode[] } {
  const inodes: Inode[] = [
    { ...metadata, ino: 1, parent: 0, name: '/', size: 4096, mode: 0o040755 },
    { ...metadata, ino: 2, parent: 1, name: 'dir', size: 4096, mode: 0o041777 },
    { ...metadata, ino: 3, parent: 2, name: 'file', size: blockSize + 1, mode: 0o104755, uid: 1000, gid: 2 },
    { ...metadata, ino: 4, parent: 2, name: 'link', size: 4, mode: 0o120777, target: 'file' },
    { ...metadata, ino: 5, parent: 1, name: 'fifo', mode: 0o010600, mtime: -1 },
    { ...metadata, ino: 6, parent: 1, name: 'null', mode: 0o020666, rdev: 0x103 },
    { ...metadata, ino: 7, parent: 1, name: 'sda', mode: 0o060660, rdev: 0x800 },
    { ...metadata, ino: 8, parent: 1, name: 'socket', mode: 0o140600 },
    { ...metadata, ino: 9, parent: 1, name: 'ünïcode 📦', mode: 0o100644 },
  ];
  return {
    inodes,
    blocks: new Map([
      [
        3,
        [
          { id: 'aa'.repeat(32), key: 'bb'.repeat(32) },
          { id: 'cc'.repeat(32), key: 'dd'.repeat(32) },
        ],
      ],
    ]),
    tags: new Map([
      ['version', '1'],
      ['author', 'the tests'],
    ]),
    routes: [
      { start: 0x00, end: 0x7f, url: 'dir:///srv/low' },
      { start: 0x80, end: 0xff, url: 'https://host/high' },
    ],
  };
}

export function sampleManifest(): Manifest {
  return manifestOf(sampleRows());
}

/** Everything that a manifest says, as plain values for a comparison. */
export function rowsOf(manifest: Manifest): ManifestRows {
  const blocks = [...manifest.inodes].map(({ ino }) => [ino, manifest.blocksOf(ino)] as const);
  return {
    inodes: [...manifest.inodes],
    blocks: new Map(blocks.filter(([, refs]) => refs.length > 0)),
    tags: manifest.tags,
    routes: manifest.routes,
    ...(manifest.columns.prefetch.length > 0 && { prefetch: [...manifest.prefetch] }),
  };
}

/** The sample manifest as a file of the running test, changed by SQL. */
export async function manifestFile(sql = ''): Promise<string> {
  const path = join(await testDirectory(), 'test.fl');
  await writeManifest(path, sampleManifest());
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
  return path;
}

const nameArbitrary = fc.oneof(
  fc.constantFrom('a', 'b', 'lib', 'lib64', 'z-'),
  fc
    .uint8Array({ minLength: 1, maxLength: 9 })
    .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
    .map(decodeName)
    .filter((name) => name !== '.' && name !== '..'),
);

const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));

const someInode = fc.record({
  name: nameArbitrary,
  kind: fc.constantFrom('directory', 'directory', 'file', 'file', 'symlink', 'character', 'fifo'),
  parent: fc.nat(),
  link: fc.option(fc.nat()),
  permissions: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xffffffff }),
  rdev: fc.integer({ min: 0, max: 2 ** 40 }),
  mtime: fc.integer({ min: -(2 ** 33), max: 2 ** 34 }),
  mtimeNs: fc.option(fc.integer({ min: 1, max: 999_999_999 })),
  target: nameArbitrary,
  refs: fc.array(fc.record({ id: hash, key: hash }), { maxLength: 3 }),
  xattrs: fc.option(fc.dictionary(fc.constantFrom('user.a', 'user.b', '1', '__proto__'), fc.uint8Array())),
});

/** Any small manifest, with inodes in no order. */
export const manifestArbitrary: fc.Arbitrary<Manifest> = fc
  .tuple(fc.array(someInode, { maxLength: 12 }), fc.dictionary(fc.string({ unit: 'binary' }), fc.string()))
  .map(([parts, tags]) => {
    const inodes: Inode[] = [{ ...metadata, ino: 1, parent: 0, name: '/', size: 4096, mode: 0o040755 }];
    const blocks = new Map<number, BlockRef[]>();
    for (const part of parts) {
      const { name, kind, permissions, uid, rdev, mtime, mtimeNs, target, refs, xattrs } = part;
      const directories = inodes.filter(({ mode }) => kindOfMode(mode) === 'directory');
      const parent = directories[part.parent % directories.length]!.ino;
      if (inodes.some((other) => other.parent === parent && other.name === name)) continue;
      const ino = inodes.at(-1)!.ino + 1 + (part.parent % 3);
      const files = inodes.filter(({ mode, link }) => kindOfMode(mode) === 'file' && link === undefined);
      const first = part.link === null ? undefined : files[part.link % Math.max(files.length, 1)];
      if (kind === 'file' && first !== undefined) {
        inodes.push({ ...first, ino, parent, name, link: first.ino });
        blocks.set(ino, blocks.get(first.ino)!);
        continue;
      }
      if (kind === 'file') blocks.set(ino, refs);
      inodes.push({
        ino,
        parent,
        name,
        size: kind === 'file' ? refs.length * blockSize : 0,
        uid,
        gid: permissions,
        mode: modeOf(kind, permissions),
        rdev,
        ctime: metadata.ctime,
        mtime,
        ...(mtimeNs !== null && { mtimeNs }),
        ...(kind === 'symlink' && { target }),
        ...(xattrs !== null && Object.keys(xattrs).length > 0 && { xattrs: new Map(Object.entries(xattrs)) }),
      });
    }
    const prefetch: PrefetchRange[] = [];
    for (const [ino, refs] of [...blocks].reverse())
      for (let first = refs.length - 1; first >= 0; first -= 2)
        prefetch.push({ ino, first, last: Math.min(first + (ino % 2), refs.length - 1) });
    return manifestOf({ inodes, blocks, tags: new Map(Object.entries(tags)), prefetch });
  });
