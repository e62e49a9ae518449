import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { compress } from '../archive/compression.ts';
import { openStore } from '../store/open.ts';
import { testDirectory } from '../store/test-directory.ts';
import { dumpTree } from '../tree/dump.ts';
import { excludeMatching } from '../tree/exclude.ts';
import { sampleTree } from '../tree/sample.fixture.ts';
import { Tree } from '../tree/tree.ts';
import {
  archive,
  collectTar,
  dockerArchiveFiles,
  json,
  layoutFiles,
  makeImage,
  member,
  tarOfFiles,
  writeFiles,
} from './oci/image.fixture.ts';
import { parsePlatform } from './oci/platform.ts';
import { stubRegistry } from './oci/registry-stub.fixture.ts';
import { packTree } from './pack.ts';
import { openStoredSource, type StoredSourceOptions } from './stored-source.ts';
import { compareInWalk } from './walk.ts';

const platform = parsePlatform('linux/amd64');
let root: string;
const at = (name: string) => join(root, name);

beforeEach(async () => {
  root = await testDirectory();
});

/** What a source gives: its kind, its paths, and the text form of its tree with the digests of its contents. */
async function read(target: string, options: StoredSourceOptions = {}) {
  const source = await openStoredSource(target, { platform, ...options });
  if (source.kind === 'directory') return { kind: source.kind, paths: [source.path], dump: '' };
  const entries = [...source.entries()];
  const paths = entries.map(([path]) => path);
  expect(paths).toEqual([...paths].sort(compareInWalk));
  const dump = await dumpTree(Tree.from(entries)).finally(source.close);
  return { kind: source.kind, paths, dump };
}

const image = await makeImage({ layers: [await collectTar(sampleTree), archive(member('added'))] });

describe('what is packed is told by its content', () => {
  test.each(['none', 'gzip', 'xz', 'zstd'] as const)('a tar archive, stored as %s', async (compression) => {
    await writeFile(at('a'), await compress(await collectTar(sampleTree), compression));
    expect(await read(at('a'))).toMatchObject({ kind: 'tar', dump: await dumpTree(sampleTree) });
  });

  test('a directory', async () => {
    await mkdir(at('d'));
    expect(await read(at('d'))).toMatchObject({ kind: 'directory', paths: [at('d')] });
  });

  test('an image, in whatever it lies', async () => {
    const layout = layoutFiles([image.manifest], image.blobs);
    await writeFiles(at('layout'), layout);
    await writeFile(at('layout.tgz'), await compress(await tarOfFiles(layout), 'gzip'));
    await writeFile(at('saved.tar'), await tarOfFiles(dockerArchiveFiles([{ image, tags: ['app:1'] }])));
    await using registry = await stubRegistry(image);
    for (const target of [
      at('layout'),
      at('layout.tgz'),
      at('saved.tar'),
      `oci:${at('layout')}`,
      `oci-archive:${at('layout.tgz')}`,
      `docker-archive:${at('saved.tar')}:app:1`,
      `docker://${registry.name}`,
    ]) {
      const { kind, paths } = await read(target);
      expect(kind, target).toBe('image');
      expect(paths, target).toContain('added');
      expect(paths).toContain('bin/two');
    }
  });

  test('a flist, with its blocks from where it says or from elsewhere', async () => {
    const store = await openStore(`dir://${at('blocks')}`);
    const manifest = at('a.fl');
    await packTree(sampleTree, {
      manifest,
      store,
      routes: [{ start: 0, end: 255, url: `dir://${at('blocks')}` }],
    });
    const { kind, dump } = await read(manifest);
    expect(kind).toBe('flist');
    expect(dump).toContain('"path":"bin/two"');
    await packTree(sampleTree, { manifest, store, routes: [] });
    expect(
      await read(manifest, { routes: [{ start: 0, end: 255, url: `dir://${at('blocks')}` }] }),
    ).toMatchObject({ dump });
    await expect(read(manifest)).rejects.toMatchObject({ name: 'Failure' });
  });

  test('a tar archive or directory that only looks like an image is none', async () => {
    const files = new Map([
      ['manifest.json', json([{ Config: 'absent', Layers: [] }])],
      ['oci-layout', json('1.0.0')],
    ]);
    await writeFile(at('web.tar'), await tarOfFiles(files));
    await writeFiles(at('web'), files);
    expect(await read(at('web.tar'))).toMatchObject({
      kind: 'tar',
      paths: ['', 'manifest.json', 'oci-layout'],
    });
    expect(await read(at('web'))).toMatchObject({ kind: 'directory' });
  });

  test('unless its kind is said', async () => {
    await writeFiles(at('layout'), layoutFiles([image.manifest], image.blobs));
    await writeFile(at('saved.tar'), await tarOfFiles(dockerArchiveFiles([{ image, tags: [] }])));
    expect(await read(`dir:${at('layout')}`)).toMatchObject({ kind: 'directory' });
    expect(await read(`tar:${at('saved.tar')}`)).toMatchObject({ kind: 'tar' });
    await expect(read(`flist:${at('saved.tar')}`)).rejects.toMatchObject({ kind: 'corrupt' });
  });
});

test('patterns leave out what they match, of every kind', async () => {
  await writeFile(at('a.tar'), await collectTar(sampleTree));
  const { paths } = await read(at('a.tar'), { exclude: excludeMatching(['/dev', '*two']) });
  expect(paths).toContain('bin/one');
  expect(paths.filter((path) => /dev|two/.test(path))).toEqual([]);
});

test.each([
  ['nothing', 'none', 'not-found'],
  ['a text', 'text', 'failed'],
  ['an empty file', 'empty', 'failed'],
  ['a device', '/dev/null', 'failed'],
  ['an image for no platform', 'oci:.', 'not-found'],
])('%s is refused', async (_what, name, kind) => {
  await writeFile(at('text'), 'a text that is no archive');
  await writeFile(at('empty'), '');
  await mkdir(at('d'));
  const target = name.startsWith('/') ? name : name.replace(/[^:]*$/, at('$&'));
  await expect(openStoredSource(target)).rejects.toMatchObject({ kind });
});
