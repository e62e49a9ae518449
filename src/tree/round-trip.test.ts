import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { treeArbitrary } from './arbitrary.ts';
import { bytesContent } from './content.ts';
import { dumpTree, parseTreeDump } from './dump.ts';
import { treeFromCpio } from './from-cpio.ts';
import { treeFromDirectory } from './from-directory.ts';
import { treeFromTar } from './from-tar.ts';
import { cpioOf } from './to-cpio.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import { tarOf } from './to-tar.ts';
import type { EntryKind } from './tree.ts';

const isRoot = process.geteuid?.() === 0;
const all: EntryKind[] = ['directory', 'file', 'symlink', 'character', 'block', 'fifo', 'socket'];
const without = (...kinds: EntryKind[]) => all.filter((kind) => !kinds.includes(kind));

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return Buffer.concat(list);
}

describe('any tree comes back equal', () => {
  test('from a cpio archive, but for what newc has no field for', async () => {
    const tree = treeArbitrary({
      xattrs: false,
      mtime: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      mtimeNs: fc.constant(0),
    });
    await fc.assert(
      fc.asyncProperty(tree, async (tree) => {
        const back = treeFromCpio(await bytesOf(cpioOf(tree)));
        expect(await dumpTree(back)).toBe(await dumpTree(tree));
      }),
    );
  });

  test('from a tar archive, but for sockets', async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary({ kinds: without('socket') }), async (tree) => {
        const back = await treeFromTar(tarOf(tree));
        expect(await dumpTree(back)).toBe(await dumpTree(tree));
      }),
    );
  });

  test('from a directory, with owners and devices as root', async () => {
    const shape = {
      kinds: isRoot ? without('socket') : without('socket', 'character', 'block'),
      xattrs: false,
      mtime: fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 33 }), // what ext4 can hold
      mtimeNs: fc.constantFrom(0, 250_000_000, 500_000_000),
      owner: isRoot ? fc.integer({ min: 0, max: 2 ** 32 - 2 }) : fc.constant(process.getuid?.() ?? 0),
    };
    await fc.assert(
      fc.asyncProperty(treeArbitrary(shape), async (tree) => {
        await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
        await writeTreeToDirectory(tree, join(scratch.path, 'tree'));
        const back = await treeFromDirectory(join(scratch.path, 'tree'));
        expect(await dumpTree(back)).toBe(await dumpTree(tree));
      }),
      { numRuns: 40 },
    );
  });

  test('from its text form', async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary(), async (tree) => {
        const contents = new Map<string, Uint8Array>();
        for (const [, entry] of tree)
          if (entry.kind === 'file') {
            const bytes = await entry.content.read();
            contents.set(sha256(bytes), bytes);
          }
        const text = await dumpTree(tree);
        const back = parseTreeDump(text, (digest) => bytesContent(contents.get(digest)!, digest));
        expect(await dumpTree(back)).toBe(text);
      }),
    );
  });
});
