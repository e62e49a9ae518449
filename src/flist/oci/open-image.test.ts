import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compress } from '../../archive/compression.ts';
import { run } from '../../base/exec.ts';
import { dumpTree } from '../../tree/dump.ts';
import { sampleTree } from '../../tree/sample.fixture.ts';
import { Tree } from '../../tree/tree.ts';
import type { Descriptor } from './documents.ts';
import {
  archive,
  collectTar,
  dockerArchiveFiles,
  json,
  layoutFiles,
  type MadeImage,
  makeImage,
  makeIndex,
  member,
  tarOfFiles,
  writeFiles,
} from './image.fixture.ts';
import type { ImageChoice } from './image.ts';
import { readImageTree } from './image-tree.ts';
import { openImageAt } from './open-image.ts';
import { parsePlatform } from './platform.ts';

const amd64 = { platform: parsePlatform('linux/amd64') };
const arm64 = { platform: parsePlatform('linux/arm64'), isPlatformDemanded: true };
const refName = 'org.opencontainers.image.ref.name';

const scratch = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
const named = (descriptor: Descriptor, name: string) => ({ ...descriptor, annotations: { [refName]: name } });

/** An image with one file that has this text. */
const imageOf = (text: string, more: Partial<Parameters<typeof makeImage>[0]> = {}) =>
  makeImage({ layers: [archive(member('file', {}, text))], ...more });

async function textIn(path: string, choice: ImageChoice = amd64): Promise<string> {
  const { tree, close } = await readImageTree(await openImageAt(path, choice));
  const entry = tree.get('file');
  const text = entry?.kind === 'file' ? Buffer.from(await entry.content.read()).toString() : 'no file';
  await close();
  return text;
}

async function dumpOf(path: string): Promise<string> {
  const { tree, close } = await readImageTree(await openImageAt(path, amd64));
  return dumpTree(Tree.from(tree)).finally(close);
}

/** Writes a layout of these images and opens it. */
async function layout(directory: string, manifests: readonly Descriptor[], ...images: readonly MadeImage[]) {
  return writeFiles(
    directory,
    layoutFiles(
      manifests,
      images.flatMap(({ blobs }) => [...blobs]),
    ),
  );
}

describe('an image is the same tree', () => {
  test('as a layout, in archives of each format, and in what skopeo makes of it', async () => {
    await using directory = await scratch();
    const at = (name: string) => join(directory.path, name);
    const upper = archive(member('bin/.wh.two'), member('added', { uid: 7 }, 'text'));
    const image = await makeImage({ layers: [await collectTar(sampleTree), upper] });
    const files = layoutFiles([named(image.manifest, 'latest')], image.blobs);
    await writeFiles(at('layout'), files);
    const tar = await tarOfFiles(files);
    await writeFile(at('layout.tar'), tar);
    await writeFile(at('layout.tar.gz'), await compress(tar, 'gzip'));
    await writeFile(at('docker.tar'), await tarOfFiles(dockerArchiveFiles([{ image, tags: ['x:latest'] }])));
    await writeFile(
      at('docker.tar.zst'),
      await compress(await tarOfFiles(dockerArchiveFiles([{ image, tags: [] }])), 'zstd'),
    );
    const from = `oci:${at('layout')}:latest`;
    for (const to of [
      'docker-archive:skopeo-docker.tar:x:latest',
      'oci-archive:skopeo-oci.tar:latest',
      'oci:skopeo:latest',
    ])
      await run('skopeo', ['--insecure-policy', '--tmpdir', directory.path, 'copy', from, to], {
        cwd: directory.path,
      });

    const expected = await dumpOf(at('layout'));
    expect(expected).toContain('"path":"added"');
    expect(expected).not.toContain('"path":"bin/two"');
    for (const name of [
      'layout.tar',
      'layout.tar.gz',
      'docker.tar',
      'docker.tar.zst',
      'skopeo-docker.tar',
      'skopeo-oci.tar',
      'skopeo',
    ])
      expect(await dumpOf(at(name)), name).toBe(expected);
  });

  test('with layers of each compression', async () => {
    await using directory = await scratch();
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const image = await imageOf(compression, { compression, isDocker: compression === 'gzip' });
      const path = join(directory.path, compression);
      await layout(path, [image.manifest], image);
      expect(await textIn(path)).toBe(compression);
    }
  });
});

describe('of several images', () => {
  test('in a layout the one of the name is taken, in full or as the index has it', async () => {
    await using directory = await scratch();
    const [one, two] = [await imageOf('one'), await imageOf('two')];
    const full = {
      ...named(two.manifest, '2'),
      annotations: { [refName]: '2', 'io.containerd.image.name': 'docker.io/library/app:2' },
    };
    await layout(directory.path, [named(one.manifest, '1'), full], one, two);
    expect(await textIn(directory.path, { ...amd64, name: '1' })).toBe('one');
    expect(await textIn(directory.path, { ...amd64, name: '2' })).toBe('two');
    expect(await textIn(directory.path, { ...amd64, name: 'app:2' })).toBe('two');
    await expect(textIn(directory.path)).rejects.toMatchObject({ kind: 'usage', hint: 'name one of: 1, 2' });
    await expect(textIn(directory.path, { ...amd64, name: '3' })).rejects.toMatchObject({
      kind: 'not-found',
      hint: 'it has 1, 2',
    });
  });

  test('in an archive of docker save the one of the tag is taken', async () => {
    await using directory = await scratch();
    const images = [
      { image: await imageOf('one'), tags: ['app:1', 'app:latest'] },
      { image: await imageOf('two'), tags: ['team/app:2'] },
    ];
    const path = join(directory.path, 'saved.tar');
    await writeFile(path, await tarOfFiles(dockerArchiveFiles(images)));
    expect(await textIn(path, { ...amd64, name: 'app' })).toBe('one');
    expect(await textIn(path, { ...amd64, name: 'docker.io/team/app:2' })).toBe('two');
    await expect(textIn(path)).rejects.toMatchObject({
      kind: 'usage',
      hint: expect.stringContaining('team/app:2'),
    });
    await expect(textIn(path, { ...amd64, name: 'other' })).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('the only one is taken whatever its name, unless the name is demanded', async () => {
    await using directory = await scratch();
    const image = await imageOf('one');
    const path = join(directory.path, 'saved.tar');
    await writeFile(path, await tarOfFiles(dockerArchiveFiles([{ image, tags: ['app:1'] }])));
    await layout(join(directory.path, 'layout'), [named(image.manifest, '1')], image);
    for (const each of [path, join(directory.path, 'layout')]) {
      expect(await textIn(each, { ...amd64, name: 'other' })).toBe('one');
      const demanded = textIn(each, { ...amd64, name: 'other', isNameDemanded: true });
      await expect(demanded).rejects.toMatchObject({ kind: 'not-found' });
    }
  });

  test('the one for the platform is taken, through nested indexes, and attestations are none', async () => {
    await using directory = await scratch();
    const images = await Promise.all(
      ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((name) =>
        imageOf(name, { platform: parsePlatform(name) }),
      ),
    );
    const attestation = { ...images[0]!.manifest, platform: { os: 'unknown', architecture: 'unknown' } };
    const inner = makeIndex([attestation, ...images.map(({ manifest }) => manifest)]);
    const outer = makeIndex([inner.descriptor]);
    const files = layoutFiles(
      [outer.descriptor],
      [
        [inner.descriptor.digest, inner.bytes],
        [outer.descriptor.digest, outer.bytes],
        ...images.flatMap(({ blobs }) => [...blobs]),
      ],
    );
    await writeFiles(directory.path, files);
    expect(await textIn(directory.path)).toBe('linux/amd64');
    expect(await textIn(directory.path, arm64)).toBe('linux/arm64');
    expect(await textIn(directory.path, { platform: parsePlatform('linux/arm/v8') })).toBe('linux/arm/v7');
    await expect(textIn(directory.path, { platform: parsePlatform('linux/s390x') })).rejects.toMatchObject({
      kind: 'not-found',
      hint: 'choose one with --platform: linux/amd64, linux/arm64, linux/arm/v7',
    });
  });

  test('one for another platform is taken when it is the only one and no platform is demanded', async () => {
    await using directory = await scratch();
    const image = await imageOf('one', { platform: parsePlatform('linux/s390x') });
    await layout(directory.path, [image.manifest], image);
    expect(await textIn(directory.path)).toBe('one');
    await expect(textIn(directory.path, arm64)).rejects.toMatchObject({ kind: 'not-found' });
    const { platform: _, ...unnamed } = image.manifest;
    await layout(directory.path, [unnamed], image);
    await expect(textIn(directory.path, arm64)).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('linux/s390x'),
    });
  });
});

describe('a stored image is refused', () => {
  async function broken(
    change: (files: Map<string, Uint8Array>, image: MadeImage) => void,
  ): Promise<unknown> {
    await using directory = await scratch();
    const image = await imageOf('text');
    const files = layoutFiles([image.manifest], image.blobs);
    change(files, image);
    await writeFiles(directory.path, files);
    return await textIn(directory.path).catch((error) => error);
  }
  const blobOf = (descriptor: { digest: string }) => `blobs/${descriptor.digest.replace(':', '/')}`;
  const layerOf = ({ manifest, blobs }: MadeImage) =>
    JSON.parse(Buffer.from(blobs.get(manifest.digest)!).toString()).layers[0];

  test.each<[string, Parameters<typeof broken>[0], string, string]>([
    ['without an index', (files) => files.delete('index.json'), 'failed', 'holds no image'],
    [
      'of another version',
      (files) => files.set('oci-layout', json({ imageLayoutVersion: '2.0' })),
      'failed',
      'version 2.0',
    ],
    [
      'whose index is a manifest',
      (files) => files.set('index.json', json({ config: {}, layers: [] })),
      'corrupt',
      'index.json',
    ],
    ['without images', (files) => files.set('index.json', json({ manifests: [] })), 'not-found', 'no image'],
    [
      'that lacks a blob',
      (files, image) => files.delete(blobOf(image.manifest)),
      'not-found',
      'lacks the blob',
    ],
    [
      'with a manifest of another size',
      (files, image) => files.set(blobOf(image.manifest), json({})),
      'corrupt',
      'has 2 bytes, expected',
    ],
    [
      'with other bytes in a layer',
      (files, image) => {
        const layer = layerOf(image);
        const bytes = Buffer.from(image.blobs.get(layer.digest)!);
        bytes[bytes.length - 1]! ^= 1;
        files.set(blobOf(layer), bytes);
      },
      'corrupt',
      'layer sha256:',
    ],
    [
      'with an index far too large',
      (files) => files.set('index.json', Buffer.alloc(5 << 20, ' ')),
      'hostile',
      'larger than',
    ],
  ])('%s', async (_what, change, kind, message) => {
    expect(await broken(change)).toMatchObject({ kind, message: expect.stringContaining(message) });
  });

  test('when indexes are nested without end', async () => {
    const error = await broken((files, image) => {
      let descriptor: Descriptor = image.manifest;
      for (let i = 0; i < 10; i++) {
        const index = makeIndex([descriptor]);
        files.set(blobOf(index.descriptor), index.bytes);
        descriptor = index.descriptor;
      }
      files.set('index.json', json({ schemaVersion: 2, manifests: [descriptor] }));
    });
    expect(error).toMatchObject({ kind: 'hostile', message: expect.stringContaining('one in the other') });
  });

  test('when the configuration speaks of other layers', async () => {
    await using directory = await scratch();
    const image = await makeImage({ layers: [archive(member('a')), archive(member('b'))] });
    const saved = dockerArchiveFiles([{ image, tags: [] }]);
    const manifest = JSON.parse(Buffer.from(saved.get('manifest.json')!).toString());
    const path = join(directory.path, 'saved.tar');
    const write = async (change: (first: { Config: string; Layers: string[] }) => void) => {
      const copy = structuredClone(manifest);
      change(copy[0]);
      await writeFile(path, await tarOfFiles(new Map([...saved, ['manifest.json', json(copy)]])));
      return textIn(path).catch((error) => error);
    };
    expect(await write((first) => first.Layers.pop())).toMatchObject({ kind: 'corrupt' });
    expect(await write((first) => first.Layers.reverse())).toMatchObject({ kind: 'corrupt' });
    expect(await write((first) => first.Layers.splice(0, 1, '../../etc/passwd'))).toMatchObject({
      kind: 'not-found',
    });
    expect(await write((first) => first.Layers.splice(0, 1, 'none'))).toMatchObject({ kind: 'not-found' });
    saved.set(manifest[0].Config, json({ rootfs: { diff_ids: [] } }));
    expect(await write(() => {})).toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('digest'),
    });
  });

  test('when it is no image at all', async () => {
    await using directory = await scratch();
    const path = join(directory.path, 'some.tar');
    await writeFile(path, await tarOfFiles(new Map([['manifest.json', json({ name: 'a web app' })]])));
    for (const each of [directory.path, path])
      await expect(openImageAt(each, amd64)).rejects.toMatchObject({
        kind: 'failed',
        message: `${each} holds no image`,
      });
    await expect(openImageAt(join(directory.path, 'none'), amd64)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});
