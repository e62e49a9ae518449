import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cpioKinds, cpioPadding, encodeCpioHeader, encodeCpioTrailer } from '../archive/cpio.ts';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { dumpTree } from './dump.ts';
import { treeFromCpio } from './from-cpio.ts';
import { treeFromDirectory } from './from-directory.ts';
import { sampleTree } from './sample.fixture.ts';
import { cpioOf } from './to-cpio.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import type { Tree } from './tree.ts';

const isRoot = process.geteuid?.() === 0;

function archive(
  ...members: { name: string; data?: string; mode?: number; ino?: number; links?: number }[]
): Buffer {
  const pieces = members.flatMap(({ name, data = '', mode = cpioKinds.file | 0o644, ino = 1, links = 1 }) => {
    const header = { ino, mode, links, uid: 0, gid: 0, mtime: 0, major: 0, minor: 0 };
    const bytes = Buffer.from(data);
    return [encodeCpioHeader(header, Buffer.from(name), bytes.length), bytes, cpioPadding(bytes.length)];
  });
  const bytes = Buffer.concat(pieces);
  return Buffer.concat([bytes, encodeCpioTrailer(bytes.length)]);
}

async function textOf(tree: Tree, path: string): Promise<string> {
  return Buffer.from(await tree.file(path)!.content.read()).toString();
}

describe('treeFromCpio', () => {
  test.each(['newc', 'crc'])('reads what cpio writes as %s', async (format) => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const directory = join(scratch.path, 'tree');
    const tree = sampleTree.select((_path, { kind }) => isRoot || (kind !== 'character' && kind !== 'block'));
    await writeTreeToDirectory(tree, directory);
    const script = `find . | cpio -o -H ${format} --quiet`;
    const { stdout } = await run('sh', ['-c', script], { cwd: directory });
    const wholeSeconds = (await treeFromDirectory(directory)).map((_path, entry) => ({
      ...entry,
      mtimeNs: 0,
    }));
    expect(await dumpTree(treeFromCpio(stdout))).toBe(await dumpTree(wholeSeconds));
  });

  test('lets later archives replace entries of earlier ones', async () => {
    const early = archive({ name: 'kernel', data: 'early' }, { name: 'kept', data: 'kept' });
    const late = archive({ name: './kernel', data: 'late' });
    const tree = treeFromCpio(Buffer.concat([early, late]));
    expect(await textOf(tree, 'kernel')).toBe('late');
    expect(await textOf(tree, 'kept')).toBe('kept');
  });

  test('takes inode numbers of different archives for different inodes', () => {
    const one = archive({ name: 'a', ino: 5, links: 2, data: 'x' }, { name: 'b', ino: 5, links: 2 });
    const other = archive({ name: 'c', ino: 5, links: 2, data: 'y' }, { name: 'd', ino: 5, links: 2 });
    const tree = treeFromCpio(Buffer.concat([one, other]));
    expect(['a', 'b', 'c', 'd'].map((path) => tree.file(path)!.hardLink)).toEqual(['a', 'a', 'c', 'c']);
  });

  test('gives every name of an inode the same data and metadata, wherever they stand', async () => {
    const [file, linked] = [cpioKinds.file, { ino: 1, links: 3 }];
    const tree = treeFromCpio(
      archive(
        { name: 'a', ...linked, mode: file | 0o600 },
        { name: 'b', ...linked, mode: file | 0o640, data: 'data' },
        { name: 'c', ...linked, mode: file | 0o644 },
      ),
    );
    for (const path of ['a', 'b', 'c']) {
      expect(await textOf(tree, path)).toBe('data');
      expect(tree.get(path)!.mode).toBe(0o644);
    }
  });

  test('refuses names that leave the tree, and kinds that are none', () => {
    for (const name of ['../etc/passwd', 'a/../../b'])
      expect(() => treeFromCpio(archive({ name }))).toThrow(
        expect.objectContaining({ kind: 'hostile', message: expect.stringMatching(/^cpio archive: .*\.\./) }),
      );
    expect(() => treeFromCpio(archive({ name: 'a', mode: 0o170644 }))).toThrow(
      'a has the unknown kind 170644',
    );
    expect(() => treeFromCpio(archive({ name: 'a' }, { name: 'a/b' }))).toThrow('its parent a is a file');
  });

  test('ends in a tree or a Failure, whatever bytes are changed', async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of cpioOf(sampleTree)) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const bytes = Buffer.from(whole);
          for (const [offset, byte] of changes) bytes[offset] = byte;
          try {
            treeFromCpio(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(Failure);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
