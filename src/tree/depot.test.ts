import { mkdtempDisposable, readdir, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { treeArbitrary } from './arbitrary.ts';
import { bytesContent } from './content.ts';
import { Depot } from './depot.ts';
import { dumpTree } from './dump.ts';
import { Tree } from './tree.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
const treeWith = (text: string) =>
  Tree.from([['file', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: bytesContent(text) }]]);

describe('a depot', () => {
  test('gives any tree back equal, to another process too', async () => {
    await using scratch = await scratchDirectory();
    await fc.assert(
      fc.asyncProperty(treeArbitrary(), async (tree) => {
        const digest = await new Depot(scratch.path).save(tree);
        const depot = new Depot(scratch.path);
        expect(await depot.has(digest)).toBe(true);
        const back = await depot.load(digest);
        expect(await dumpTree(back)).toBe(await dumpTree(tree));
        for (const [path, entry] of tree)
          if (entry.kind === 'file')
            expect(Buffer.compare(await back.file(path)!.content.read(), await entry.content.read())).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('keeps equal contents once', async () => {
    await using scratch = await scratchDirectory();
    const depot = new Depot(scratch.path);
    const kept = await depot.keep(bytesContent('same'));
    await depot.keep(bytesContent('same'));
    expect(Buffer.from(await kept.read()).toString()).toBe('same');
    const files = await readdir(join(scratch.path, 'objects'), { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile())).toHaveLength(1);
  });

  test('does not have a tree whose object is torn, and mends it when it is saved again', async () => {
    await using scratch = await scratchDirectory();
    const depot = new Depot(scratch.path);
    const digest = await depot.save(treeWith('content'));
    const object = (await depot.load(digest)).file('file')!.content;
    await truncate(object.file!, 3);
    expect(await depot.has(digest)).toBe(false);
    await expect(object.read()).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await depot.save(treeWith('content'))).toBe(digest);
    expect(await depot.has(digest)).toBe(true);
  });

  test('says which tree it does not have', async () => {
    await using scratch = await scratchDirectory();
    const depot = new Depot(scratch.path);
    expect(await depot.has('0'.repeat(64))).toBe(false);
    await expect(depot.load('0'.repeat(64))).rejects.toMatchObject({ kind: 'not-found' });
  });
});
