import { mkdtempDisposable, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compress } from '../archive/compression.ts';
import { encodeTarHeader } from '../archive/tar.ts';
import { run } from '../base/exec.ts';
import { dumpTree } from '../tree/dump.ts';
import { sampleTree } from '../tree/sample.fixture.ts';
import { Tree } from '../tree/tree.ts';
import { archive, collectTar, member } from './oci/image.fixture.ts';
import { isTar, openTar } from './tar-source.ts';

const scratch = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));

describe('a tar archive that is opened', () => {
  test.each(['none', 'gzip', 'zstd', 'xz'] as const)('has its tree, stored as %s', async (compression) => {
    await using directory = await scratch();
    const path = join(directory.path, 'a.tar');
    await writeFile(path, await compress(await collectTar(sampleTree), compression));
    expect(await isTar(path)).toBe(true);
    const { tree, close } = await openTar(path);
    expect(await dumpTree(Tree.from(tree))).toBe(await dumpTree(sampleTree));
    await close();
  });

  test.each(['', '--gzip'])('says where contents lie, for other readers %s', async (option) => {
    await using directory = await scratch();
    const text = 'some text\n'.repeat(5000);
    await writeFile(join(directory.path, 'file'), text);
    const args = [
      '-C',
      directory.path,
      ...(option ? [option] : []),
      '-cf',
      join(directory.path, 'a.tar'),
      'file',
    ];
    await run('tar', args);
    const { tree, close } = await openTar(join(directory.path, 'a.tar'));
    const entry = tree.get('file');
    if (entry?.kind !== 'file') return expect.unreachable();
    const { file, offset } = entry.content.slice!;
    expect((await readFile(file)).subarray(offset, offset + entry.content.size).toString()).toBe(text);
    await close();
  });

  test('is not read where only contents are, and may be larger than memory', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'large.tar');
    const size = 2 ** 40; // a sparse file: what is read of it has to be little
    const header = (name: string) =>
      encodeTarHeader({
        ...{ name: Buffer.from(name), linkName: Buffer.of(), mode: 0o644, uid: 0, gid: 0, mtime: 0 },
        ...{ type: '0', size: 0, major: 0, minor: 0 },
      });
    const big = Buffer.from(header('big'));
    big.set([0x80, 0, 0, 0, 0, 0, ...Buffer.from(size.toString(16).padStart(12, '0'), 'hex')], 124); // base-256
    big.fill(' ', 148, 156);
    big.write(
      `${big
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    const file = await open(path, 'w');
    await file.write(big, 0, 512, 0);
    await file.write(archive(member('small', {}, 'text')), 0, null, 512 + size);
    await file.close();
    const { tree, close } = await openTar(path);
    expect(tree.get('big')).toMatchObject({ content: { size } });
    const small = tree.get('small');
    expect(small?.kind === 'file' && Buffer.from(await small.content.read()).toString()).toBe('text');
    await close();
  });

  test.each([
    ['../evil', 'hostile'],
    ['a/'.repeat(3000), 'hostile'],
  ])('is refused for the name %.20s', async (name, kind) => {
    await using directory = await scratch();
    const path = join(directory.path, 'evil.tar');
    await writeFile(path, archive(member(name)));
    await expect(openTar(path)).rejects.toMatchObject({
      kind,
      message: expect.stringContaining('evil.tar: '),
    });
  });

  test('is refused when it is cut off, a bomb, or something else', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'a.tar');
    const bytes = archive(member('a', {}, '\0'.repeat(1_000_000)));
    const refused = async (content: Uint8Array | string, options = {}) => {
      await writeFile(path, content);
      return openTar(path, options).then(
        () => expect.unreachable(),
        (error) => error.kind,
      );
    };
    expect(await refused(bytes.subarray(0, 5000))).toBe('corrupt');
    const compressed = await compress(bytes, 'gzip');
    expect(await refused(compressed.subarray(0, compressed.length - 9))).toBe('corrupt');
    expect(await refused(compressed, { limit: 100_000 })).toBe('hostile');
    expect(await refused('no archive at all, '.repeat(50))).toBe('failed');
    expect(await isTar(path)).toBe(false);
    await expect(openTar(join(directory.path, 'none'))).rejects.toMatchObject({ kind: 'not-found' });
    await expect(openTar(directory.path)).rejects.toMatchObject({ kind: 'failed' });
  });
});
