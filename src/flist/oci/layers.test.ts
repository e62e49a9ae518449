import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compress } from '../../archive/compression.ts';
import { run } from '../../base/exec.ts';
import { bytesContent } from '../../tree/content.ts';
import { contentDigest } from '../../tree/dump.ts';
import { treeFromDirectory } from '../../tree/from-directory.ts';
import { type Entry, Tree } from '../../tree/tree.ts';
import { digestOf } from './digest.ts';
import {
  archive,
  hardLink,
  type ImageShape,
  layoutFiles,
  makeImage,
  member,
  symbolicLink,
  writeFiles,
} from './image.fixture.ts';
import type { Layer } from './image.ts';
import { type ImageTree, readImageTree } from './image-tree.ts';
import { openImageAt } from './open-image.ts';
import { machinePlatform } from './platform.ts';

const choice = { platform: machinePlatform() };

/** The tree of these layers, from the lowest up. */
async function treeOf(...layers: readonly (readonly Uint8Array[])[]): Promise<ImageTree> {
  return imageTreeOf({ layers: layers.map((members) => archive(...members)) });
}

async function imageTreeOf(shape: ImageShape, limit?: number): Promise<ImageTree> {
  const layers = await layersOf(shape);
  const config = { platform: choice.platform, entrypoint: [], cmd: [], env: [], diffIds: [] };
  const image = { name: 'image', config, layers };
  return readImageTree({ image, close: async () => {} }, limit === undefined ? {} : { limit });
}

async function layersOf({ layers, compression = 'gzip' }: ImageShape): Promise<Layer[]> {
  const stored = await Promise.all(layers.map((layer) => compress(layer, compression)));
  return layers.map((layer, index) => ({
    name: `layer ${index}`,
    content: bytesContent(stored[index]!),
    stored: { digest: digestOf(stored[index]!), size: stored[index]!.length },
    diffId: digestOf(layer),
  }));
}

const pathsOf = ({ tree }: ImageTree) => [...tree].map(([path]) => path).slice(1);

async function textOf({ tree }: ImageTree, path: string): Promise<string> {
  const entry = tree.get(path);
  return entry?.kind === 'file'
    ? Buffer.from(await entry.content.read()).toString()
    : `no file but ${entry?.kind}`;
}

describe('layers that are laid one over the other', () => {
  test('add and replace entries, and directories keep what is in them', async () => {
    const image = await treeOf(
      [member('etc/'), member('etc/a', {}, 'one'), member('etc/b', {}, 'one')],
      [member('etc/', { mode: 0o700 }), member('etc/b', {}, 'two')],
    );
    expect([await textOf(image, 'etc/a'), await textOf(image, 'etc/b')]).toEqual(['one', 'two']);
    expect(image.tree.get('etc')).toMatchObject({ kind: 'directory', mode: 0o700 });
    await image.close();
  });

  test('remove what a whiteout names, with all that is below it', async () => {
    const image = await treeOf(
      [member('a/b/c'), member('a/d'), member('e')],
      [member('a/.wh.b'), member('.wh.e'), member('.wh.none')],
    );
    expect(pathsOf(image)).toEqual(['a', 'a/d']);
    await image.close();
  });

  test('show nothing of what is below an opaque directory', async () => {
    const image = await treeOf([member('a/b/c'), member('a/d')], [member('a/'), member('a/.wh..wh..opq')]);
    expect(pathsOf(image)).toEqual(['a']);
    await image.close();
  });

  test.each([
    'before',
    'after',
  ])('keep the entries of the layer that come %s its whiteouts', async (order) => {
    const whiteouts = [member('a/.wh..wh..opq'), member('.wh.b'), member('.wh.c')];
    const entries = [member('a/x', {}, 'new'), member('b', {}, 'new'), member('c/y', {}, 'new')];
    const image = await treeOf(
      [member('a/x'), member('a/old'), member('b'), member('c/old')],
      order === 'before' ? [...entries, ...whiteouts] : [...whiteouts, ...entries],
    );
    expect(pathsOf(image)).toEqual(['a', 'a/x', 'b', 'c', 'c/y']);
    expect([await textOf(image, 'a/x'), await textOf(image, 'b')]).toEqual(['new', 'new']);
    await image.close();
  });

  test('leave the target of a link alone that becomes an opaque directory', async () => {
    const image = await treeOf(
      [member('target/keep'), symbolicLink('dir', 'target')],
      [member('dir/'), member('dir/.wh..wh..opq'), member('dir/new')],
    );
    expect(pathsOf(image)).toEqual(['dir', 'dir/new', 'target', 'target/keep']);
    await image.close();
  });

  test('link to files of the layers below, and ignore the names of AUFS', async () => {
    const image = await treeOf(
      [member('a', {}, 'data')],
      [hardLink('b', 'a'), member('.wh..wh.plnk/'), member('.wh..wh.plnk/1.2'), member('.wh..wh.aufs')],
    );
    expect(pathsOf(image)).toEqual(['a', 'b']);
    expect([...image.tree].map(([, entry]) => entry)).toMatchObject([
      {},
      { hardLink: 'a' },
      { hardLink: 'a' },
    ]);
    await image.close();
  });

  test('may be empty, and may stop without an end', async () => {
    const image = await imageTreeOf({ layers: [Buffer.of(), Buffer.alloc(1024), member('a', {}, 'x')] });
    expect(pathsOf(image)).toEqual(['a']);
    await image.close();
  });

  test.each(['none', 'gzip', 'zstd'] as const)('are read when stored as %s', async (compression) => {
    const text = 'x'.repeat(3_000_000);
    const image = await imageTreeOf({ layers: [archive(member('a', {}, text), member('b'))], compression });
    expect(await textOf(image, 'a')).toBe(text);
    await image.close();
  });
});

describe('umoci unpacks the same', () => {
  const names = fc
    .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'));
  const makers = {
    directory: (path: string, other: string) =>
      member(`${path}/`, { mode: other.length > 2 ? 0o755 : 0o700 }),
    file: (path: string, other: string) => member(path, { mode: 0o640 }, other),
    symlink: (path: string, other: string) => symbolicLink(path, `/${other}`),
    link: hardLink,
    whiteout: (path: string) => member(path.replace(/[^/]+$/, '.wh.$&')),
    opaque: (path: string) => member(`${path}/.wh..wh..opq`),
  };
  const kinds = Object.keys(makers) as (keyof typeof makers)[];
  const members = fc.record({ kind: fc.constantFrom(...kinds), path: names, other: names });
  type Shape = { readonly kind: keyof typeof makers; readonly path: string; readonly other: string };
  /**
   * Removals first, and no member of their layer that could change where they lead: umoci takes one member after the other, while
   * for us their order means nothing.
   */
  const withoutDoubt = (layer: readonly Shape[]): readonly Shape[] => {
    const removals = layer.filter(({ kind }) => kind === 'whiteout' || kind === 'opaque');
    const leads = ({ kind, path }: Shape) =>
      kind === 'link' ||
      kind === 'symlink' ||
      (kind === 'directory' && removals.some((each) => `${each.path}/`.startsWith(`${path}/`)));
    const others = layer.filter((each) => !removals.includes(each));
    return [...removals, ...(removals.length > 0 ? others.filter((each) => !leads(each)) : others)];
  };
  const images = fc.array(fc.array(members, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });

  test('of random layers', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(images, async (shapes) => {
        const layers = shapes
          .map(withoutDoubt)
          .map((each) => archive(...each.map(({ kind, path, other }) => makers[kind](path, other))));
        await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
        const { manifest, blobs } = await makeImage({ layers, compression: 'none' });
        const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'x' } };
        const layout = await writeFiles(join(scratch.path, 'layout'), layoutFiles([named], blobs));
        const bundle = join(scratch.path, 'bundle');
        const rootless = process.geteuid?.() === 0 ? [] : ['--rootless'];
        const args = ['--log=fatal', 'unpack', ...rootless, '--image', `${layout}:x`, bundle];
        const { code } = await run('umoci', args, { accept: [0, 1], package: 'umoci' });
        if (code !== 0) return; // entries below files, links to nothing
        const image = await readImageTree(await openImageAt(layout, choice));
        const lines = await linesOf(Tree.from(image.tree)).finally(image.close);
        expect(lines).toEqual(await linesOf(await treeFromDirectory(join(bundle, 'rootfs'))));
        compared++;
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(10);
  });

  async function linesOf(tree: Tree): Promise<string[]> {
    const lines: string[] = [];
    for (const [path, entry] of tree) if (path !== '') lines.push(`${path} ${await describeEntry(entry)}`);
    return lines;
  }

  async function describeEntry(entry: Entry): Promise<string> {
    if (entry.kind === 'symlink') return `link ${entry.target}`;
    if (entry.kind !== 'file') return `${entry.kind} ${entry.mode}`;
    return `file ${entry.mode} ${entry.hardLink} ${await contentDigest(entry.content)}`;
  }
});

describe('a hostile layer is refused', () => {
  const bad = async (layers: Layer[], limit?: number) => {
    const config = { platform: choice.platform, entrypoint: [], cmd: [], env: [], diffIds: [] };
    let closed = 0;
    const close = async () => void closed++;
    const reading = readImageTree(
      { image: { name: 'image', config, layers }, close },
      limit ? { limit } : {},
    );
    const error = await reading.then(
      () => expect.unreachable(),
      (reason) => reason,
    );
    expect(closed).toBeGreaterThan(0);
    return error;
  };

  test.each([
    ['a name out of the tree', [member('../evil')], 'hostile'],
    ['a link out of the tree', [hardLink('a', '../../etc/passwd')], 'hostile'],
    ['a whiteout of ..', [member('a/.wh...')], 'hostile'],
    ['a whiteout of .', [member('a/.wh..')], 'hostile'],
    ['a whiteout of nothing', [member('a/.wh.')], 'hostile'],
    ['links in a circle', [symbolicLink('a', 'b'), symbolicLink('b', 'a'), member('a/x')], 'hostile'],
    ['a name that nothing can open', [member('d/'.repeat(2100))], 'hostile'],
    ['a link to nothing', [hardLink('a', 'none')], 'corrupt'],
    ['an entry below a file', [member('a'), member('a/b')], 'conflict'],
    ['a device of an unknown kind', [member('a', { type: 'M' })], 'failed'],
  ])('for %s', async (_what, members, kind) => {
    const error = await bad(await layersOf({ layers: [archive(...members)] }));
    expect(error).toMatchObject({ kind, message: expect.stringMatching(/^layer 0: /) });
  });

  test('when its bytes are others than the manifest says', async () => {
    const [layer] = await layersOf({ layers: [archive(member('a', {}, 'data'))] });
    const other = digestOf(Buffer.from('other'));
    const digest = await bad([{ ...layer!, stored: { ...layer!.stored!, digest: other } }]);
    expect(digest).toMatchObject({ kind: 'corrupt', message: expect.stringContaining(`expected ${other}`) });
    const diffId = await bad([{ ...layer!, diffId: other }]);
    expect(diffId).toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('decompressed, has the digest'),
    });
    for (const difference of [-1, 1]) {
      const size = layer!.stored!.size + difference;
      const error = await bad([{ ...layer!, stored: { ...layer!.stored!, size } }]);
      expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringContaining(`${size}`) });
    }
  });

  test('when bytes follow that belong to no archive', async () => {
    const [layer] = await layersOf({ layers: [archive(member('a'))] });
    const content = bytesContent(Buffer.concat([await layer!.content.read(), Buffer.alloc(100_000, 1)]));
    expect(await bad([{ ...layer!, content }])).toMatchObject({ kind: 'corrupt' });
  });

  test.each(['none', 'gzip', 'zstd'] as const)('when it is a bomb, stored as %s', async (compression) => {
    const layers = await layersOf({
      layers: [archive(member('a', {}, '\0'.repeat(10_000_000)))],
      compression,
    });
    const error = await bad(layers, 1_000_000);
    expect(error).toMatchObject({ kind: 'hostile', message: expect.stringContaining('layer 0') });
  });

  test('whichever bytes of it are changed', async () => {
    const plain = archive(
      member('a/b', {}, 'data'),
      symbolicLink('l', 'a'),
      hardLink('h', 'a/b'),
      member('.wh.x'),
    );
    const change = fc.tuple(fc.nat(plain.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(plain);
        for (const [at, by] of changes) bytes[at] = bytes[at]! ^ by;
        const layers = [bytes];
        const tree = await imageTreeOf({ layers, compression: 'none' }).catch((error) => error);
        if (tree instanceof Error) expect(tree).toMatchObject({ name: 'Failure' });
        else await tree.close();
      }),
      { numRuns: 150 },
    );
  });
});
