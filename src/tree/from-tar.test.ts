import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodePax, encodeTarHeader, type TarHeader } from '../archive/tar.ts';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { bytesContent, type Content } from './content.ts';
import { Depot } from './depot.ts';
import { dumpTree } from './dump.ts';
import { treeFromCpio } from './from-cpio.ts';
import { treeFromDirectory } from './from-directory.ts';
import { treeFromTar } from './from-tar.ts';
import { sampleTree } from './sample.fixture.ts';
import { cpioOf } from './to-cpio.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import { tarOf } from './to-tar.ts';
import { type SymlinkEntry, Tree } from './tree.ts';

const isRoot = process.geteuid?.() === 0;
const sample = sampleTree.select((_path, { kind }) => isRoot || (kind !== 'character' && kind !== 'block'));

function member(name: string, fields: Partial<TarHeader> = {}, data = ''): Uint8Array {
  const body = Buffer.from(data);
  const header = encodeTarHeader({
    name: Buffer.from(name),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    type: '0',
    linkName: new Uint8Array(),
    major: 0,
    minor: 0,
    ...fields,
  });
  return Buffer.concat([header, body, Buffer.alloc(-body.length & 511)]);
}

const pax = (records: Record<string, string | Uint8Array>, type = 'x') => {
  const data = encodePax(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]));
  return member('pax', { type }, Buffer.from(data).toString('latin1'));
};
const archive = (...members: Uint8Array[]) => Buffer.concat([...members, Buffer.alloc(1024)]);
const linkTo = (target: string) => ({ type: '1', linkName: Buffer.from(target) });

describe('treeFromTar', () => {
  test.each(['gnu', 'pax', 'oldgnu'])('reads what tar writes as %s', async (format) => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const directory = join(scratch.path, 'tree');
    await writeTreeToDirectory(sample, directory);
    const args = ['-C', directory, `--format=${format}`, '--numeric-owner', '-c', '.'];
    const { stdout } = await run('tar', args);
    const expected = (await treeFromDirectory(directory)).map((_path, entry) => ({ ...entry, mtimeNs: 0 }));
    const wholeSeconds = (await treeFromTar(stdout)).map((_path, entry) => ({ ...entry, mtimeNs: 0 }));
    const lines = async (tree: Tree) => (await dumpTree(tree)).split('\n').slice(1);
    expect(await lines(wholeSeconds)).toEqual(await lines(expected));
  });

  test('reads long names of ustar and v7', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const name = `${'d'.repeat(90)}/${'f'.repeat(60)}`;
    await run('mkdir', ['-p', join(scratch.path, 'd'.repeat(90))]);
    await writeFile(join(scratch.path, name), 'data');
    const ustar = await run('tar', ['-C', scratch.path, '--format=ustar', '-c', name]);
    expect((await treeFromTar(ustar.stdout)).file(name)!.content.size).toBe(4);
    const v7 = await run('tar', ['-C', scratch.path, '--exclude=*/f*', '--format=v7', '-c', 'd'.repeat(90)]);
    expect((await treeFromTar(v7.stdout)).get('d'.repeat(90))!.kind).toBe('directory');
  });

  test.each([
    ['gnu', '0.0'],
    ['posix', '0.1'],
    ['posix', '1.0'],
  ])('reads files with holes as tar writes them: %s %s', async (format, version) => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const names = ['many', 'hole', 'ends in a hole', 'full'];
    const many = Buffer.alloc(80 * 8192);
    for (let at = 0; at < many.length; at += 8192) many.write(`piece ${at}`, at + 4096);
    await writeFile(join(scratch.path, 'full'), 'no hole');
    for (const [name, size] of [
      ['many', many.length],
      ['hole', 3_000_000],
      ['ends in a hole', 500_000],
    ] as const) {
      const file = await open(join(scratch.path, name), 'w');
      await file.truncate(size);
      if (name === 'many') for (let at = 4096; at < size; at += 8192) await file.write(many, at, 4096, at);
      if (name === 'ends in a hole') await file.write('begins with text', 0);
      await file.close();
    }
    const args = [
      '-C',
      scratch.path,
      '--sparse',
      `--format=${format}`,
      `--sparse-version=${version}`,
      '-c',
      ...names,
    ];
    const { stdout } = await run('tar', args);
    expect(stdout.length).toBeLessThan(1_000_000);
    const tree = await treeFromTar(stdout);
    for (const name of names) {
      const { content } = tree.file(name)!;
      const expected = await readFile(join(scratch.path, name));
      expect(content.size).toBe(expected.length);
      expect(Buffer.compare(await content.read(), expected), name).toBe(0);
    }
  });

  test('reads large numbers and times before 1970 as tar writes them', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    await writeFile(join(scratch.path, 'a'), '');
    for (const format of ['gnu', 'pax']) {
      const args = [
        '-C',
        scratch.path,
        `--format=${format}`,
        '--owner=u:4000000000',
        '--mtime=@-1.5',
        '-c',
        'a',
      ];
      const entry = (await treeFromTar((await run('tar', args)).stdout)).get('a')!;
      expect([entry.uid, entry.mtime]).toEqual([4_000_000_000, -2]);
      expect(entry.mtimeNs).toBe(format === 'pax' ? 500_000_000 : undefined);
    }
  });

  test('takes pax records for one entry, and global ones for all that follow', async () => {
    const capability = Buffer.from([1, 0, 0, 2, 0, 0x3d, 0x0a, 0xff]);
    const tree = await treeFromTar(
      archive(
        pax({ uid: '7', comment: 'ignored' }, 'g'),
        pax({ path: 'renamed', mtime: '12.25', 'SCHILY.xattr.user.text': 'value' }),
        member('a'),
        member('b'),
      ),
    );
    expect([...tree.paths()]).toEqual(['', 'b', 'renamed']);
    expect(tree.get('renamed')).toMatchObject({ uid: 7, mtime: 12, mtimeNs: 250_000_000 });
    expect(Buffer.from(tree.get('renamed')!.xattrs!.get('user.text')!).toString()).toBe('value');
    expect(tree.get('b')).toMatchObject({ uid: 7, mtime: 0 });
    expect(tree.get('b')!.xattrs).toBeUndefined();

    const attributes = new Map([['security.capability', capability]]);
    const metadata = { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: attributes };
    const ping = Tree.from([['ping', { kind: 'file', ...metadata, content: bytesContent('') }]]);
    const back = await treeFromTar(tarOf(ping));
    expect([...back.get('ping')!.xattrs!.get('security.capability')!]).toEqual([...capability]);
  });

  test('makes hard links one group, and copies links to other kinds', async () => {
    const symlink = { type: '2', linkName: Buffer.from('a') };
    const tree = await treeFromTar(
      archive(
        member('z', {}, 'data'),
        member('a', linkTo('./z')),
        member('m', linkTo('a')),
        member('s', symlink),
        member('t', linkTo('s')),
      ),
    );
    expect(['a', 'm', 'z'].map((path) => tree.file(path)!.hardLink)).toEqual(['a', 'a', 'a']);
    expect(tree.get('t')).toEqual(tree.get('s'));
  });

  test('lets a later entry replace an earlier one, but not for what was linked to it', async () => {
    const tree = await treeFromTar(
      archive(member('a', {}, 'old'), member('b', linkTo('a')), member('a', {}, 'newer')),
    );
    expect([tree.file('a')!.content.size, tree.file('b')!.content.size]).toEqual([5, 3]);
    expect([tree.file('a')!.hardLink, tree.file('b')!.hardLink]).toEqual([undefined, undefined]);
  });

  test('hands each file to `keep`, and has no other bytes of it', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const depot = new Depot(scratch.path);
    const kept: Content[] = [];
    const keep = async (content: Content) => {
      const result = await depot.keep(content);
      kept.push(result);
      return result;
    };
    const tree = await treeFromTar(tarOf(sampleTree), { keep });
    expect(kept).toHaveLength(3);
    for (const [, entry] of tree) if (entry.kind === 'file') expect(kept).toContain(entry.content);
    expect(await dumpTree(tree)).toBe(await dumpTree(sampleTree));
  });

  test.each([
    '../../etc/passwd',
    'a/../b',
    'a/..',
  ])('refuses the name %j, and names the archive', async (name) => {
    const refused = { kind: 'hostile', message: expect.stringMatching(/^evil\.tar: /) };
    await expect(treeFromTar(archive(member(name)), { name: 'evil.tar' })).rejects.toMatchObject(refused);
    const byLink = archive(member('x'), member('y', linkTo(name)));
    await expect(treeFromTar(byLink, { name: 'evil.tar' })).rejects.toMatchObject(refused);
  });

  test('never writes through a symlink: an entry below one is a conflict', async () => {
    const bytes = archive(member('a', { type: '2', linkName: Buffer.from('/etc') }), member('a/passwd'));
    await expect(treeFromTar(bytes)).rejects.toMatchObject({ kind: 'conflict' });
  });

  test.each([
    ['a link to nothing', [member('a', linkTo('none'))], 'corrupt', 'no earlier file'],
    [
      'sparse pieces without numbers',
      [pax({ 'GNU.sparse.map': 'x', 'GNU.sparse.size': '1' }), member('a')],
      'corrupt',
      'pieces',
    ],
    [
      'sparse pieces out of order',
      [pax({ 'GNU.sparse.map': '4,1,2,1', 'GNU.sparse.size': '9' }), member('a', {}, 'xy')],
      'corrupt',
      'pieces',
    ],
    [
      'sparse pieces out of bounds',
      [pax({ 'GNU.sparse.map': '4,2', 'GNU.sparse.size': '5' }), member('a', {}, 'xy')],
      'corrupt',
      'pieces',
    ],
    [
      'sparse pieces of other data',
      [pax({ 'GNU.sparse.map': '4,2', 'GNU.sparse.size': '6' }), member('a', {}, 'x')],
      'corrupt',
      'pieces',
    ],
    [
      'a sparse map without end',
      [
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
        member('a', {}, '9'.repeat(2048)),
      ],
      'corrupt',
      'pieces',
    ],
    [
      'a sparse format of tomorrow',
      [pax({ 'GNU.sparse.major': '2' }), member('a')],
      'failed',
      'not supported',
    ],
    ['an unknown type', [member('a', { type: 'M' })], 'failed', 'unknown tar type "M"'],
    ['a wrong number', [pax({ size: '-1' }), member('a')], 'corrupt', 'wrong size'],
    ['a wrong time', [pax({ mtime: 'now' }), member('a')], 'corrupt', 'wrong mtime'],
    ['a huge extended header', [member('a', { type: 'x', size: 2 ** 32 })], 'hostile', '4294967296 bytes'],
    ['a name beyond measure', [pax({ path: 'a/'.repeat(2048) }), member('a')], 'hostile', '4096 bytes'],
    ['a file longer than the archive', [member('a', { size: 2 ** 32 })], 'corrupt', 'cut off'],
  ])('refuses %s', async (_what, members, kind, message) => {
    await expect(treeFromTar(archive(...members))).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(message),
    });
  });

  test('keeps names and link targets that are not UTF-8', async () => {
    const name = Buffer.of(0x61, 0xff, 0x2f, 0xc3, 0x28);
    const tree = await treeFromTar(
      archive(member('', { name }), member('', { name: Buffer.of(0x80), type: '2', linkName: name })),
    );
    expect([...tree.paths()].map((path) => encodeName(path).toString('latin1'))).toEqual([
      '',
      'a\xff',
      'a\xff/Ã(',
      '\x80',
    ]);
    expect(encodeName((tree.get(decodeName(Buffer.of(0x80))) as SymlinkEntry).target)).toEqual(name);
    expect(await dumpTree(await treeFromTar(tarOf(tree)))).toBe(await dumpTree(tree));
    const cpio: Uint8Array[] = [];
    for await (const chunk of cpioOf(tree)) cpio.push(chunk);
    expect([...treeFromCpio(Buffer.concat(cpio)).paths()]).toEqual([...tree.paths()]);
  });

  test('says that an archive is cut off, also between two entries', async () => {
    const whole = archive(member('a', {}, 'data'), member('b'));
    for (const size of [0, 100, 512, 600, 1024, 1536])
      await expect(treeFromTar(whole.subarray(0, size), { name: 'x.tar' })).rejects.toThrow(
        'x.tar is cut off',
      );
  });

  test('ends in a tree or a Failure, whatever bytes are changed', async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of tarOf(sampleTree)) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const [offset, byte] of changes) bytes[offset] = byte;
        const result = await treeFromTar(bytes).catch((error) => error);
        if (!(result instanceof Tree)) expect(result).toBeInstanceOf(Failure);
      }),
      { numRuns: 300 },
    );
  });
});
