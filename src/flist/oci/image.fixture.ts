import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { compress } from '../../archive/compression.ts';
import { encodePax, encodeTarHeader, type TarHeader } from '../../archive/tar.ts';
import { bytesContent } from '../../tree/content.ts';
import { tarOf } from '../../tree/to-tar.ts';
import { type Entry, Tree } from '../../tree/tree.ts';
import { digestOf } from './digest.ts';
import type { Descriptor } from './documents.ts';
import type { Platform } from './platform.ts';

/** One member of a tar archive as its bytes. */
export function member(name: string, fields: Partial<TarHeader> = {}, data = ''): Uint8Array {
  const body = Buffer.from(data);
  const [bytes, link] = [Buffer.from(name), fields.linkName ?? new Uint8Array()];
  const long = new Map<string, Uint8Array>();
  if (bytes.length > 100) long.set('path', bytes);
  if (link.length > 100) long.set('linkpath', link);
  const header = encodeTarHeader({
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: body.length,
    mtime: 0,
    type: name.endsWith('/') ? '5' : '0',
    major: 0,
    minor: 0,
    ...fields,
    name: bytes.subarray(0, 100),
    linkName: link.subarray(0, 100),
  });
  const records = encodePax(long);
  const before = long.size > 0 ? member('pax', { type: 'x' }, Buffer.from(records).toString()) : Buffer.of();
  return Buffer.concat([before, header, body, Buffer.alloc(-body.length & 511)]);
}

export const hardLink = (name: string, target: string) =>
  member(name, { type: '1', linkName: Buffer.from(target) });
export const symbolicLink = (name: string, target: string) =>
  member(name, { type: '2', linkName: Buffer.from(target) });

/** A layer of these members. */
export const archive = (...members: readonly Uint8Array[]) => Buffer.concat([...members, Buffer.alloc(1024)]);

export interface ImageShape {
  /** Plain tar archives, from the lowest up. */
  readonly layers: readonly Uint8Array[];
  readonly compression?: 'none' | 'gzip' | 'zstd';
  readonly platform?: Platform;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly created?: string;
  /** Docker's media types in place of OCI's. */
  readonly isDocker?: boolean;
}

/** The documents and blobs of an image. */
export interface MadeImage {
  readonly manifest: Descriptor;
  readonly config: Uint8Array;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly layers: readonly Uint8Array[];
}

const types = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: { none: 'tar', gzip: 'tar+gzip', zstd: 'tar+zstd' },
    layerPrefix: 'application/vnd.oci.image.layer.v1.',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: { none: 'tar', gzip: 'tar.gzip', zstd: 'tar.zstd' },
    layerPrefix: 'application/vnd.docker.image.rootfs.diff.',
  },
};

export const json = (value: unknown) => Buffer.from(JSON.stringify(value));

export function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** Makes an image. */
export async function makeImage(shape: ImageShape): Promise<MadeImage> {
  const { layers, compression = 'gzip', platform, created = '2024-05-06T07:08:09.5Z' } = shape;
  const type = types[shape.isDocker ? 'docker' : 'oci'];
  const blobs = new Map<string, Uint8Array>();
  const keep = (mediaType: string, bytes: Uint8Array) => {
    const descriptor = descriptorOf(mediaType, bytes);
    blobs.set(descriptor.digest, bytes);
    return descriptor;
  };
  const config = json({
    ...(platform ?? { os: 'linux', architecture: 'amd64' }),
    created,
    config: shape.config ?? { Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  });
  const stored: Descriptor[] = [];
  for (const layer of layers)
    stored.push(keep(`${type.layerPrefix}${type.layer[compression]}`, await compress(layer, compression)));
  const manifest = json({
    schemaVersion: 2,
    mediaType: type.manifest,
    config: keep(type.config, config),
    layers: stored,
  });
  return {
    manifest: { ...keep(type.manifest, manifest), ...(platform && { platform }) },
    config,
    blobs,
    layers,
  };
}

/** The index of these manifests as a document of its own. */
export function makeIndex(manifests: readonly Descriptor[], isDocker = false) {
  const mediaType = types[isDocker ? 'docker' : 'oci'].index;
  const bytes = json({ schemaVersion: 2, mediaType, manifests });
  return { bytes, descriptor: descriptorOf(mediaType, bytes) };
}

/** The files of an OCI image layout by path. */
export function layoutFiles(
  manifests: readonly Descriptor[],
  blobs: Iterable<readonly [digest: string, bytes: Uint8Array]>,
): Map<string, Uint8Array> {
  return new Map([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' })],
    ['index.json', json({ schemaVersion: 2, manifests })],
    ...[...blobs].map(([digest, bytes]) => [`blobs/${digest.replace(':', '/')}`, bytes] as const),
  ]);
}

/** The files of what `docker save` wrote before it wrote OCI layouts. */
export function dockerArchiveFiles(
  images: readonly { readonly image: MadeImage; readonly tags: readonly string[] }[],
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const manifest = images.map(({ image, tags }) => {
    const Config = `${digestOf(image.config).slice(7)}.json`;
    files.set(Config, image.config);
    const Layers = image.layers.map((layer) => `${digestOf(layer).slice(7)}/layer.tar`);
    for (const [index, path] of Layers.entries()) files.set(path, image.layers[index]!);
    return { Config, RepoTags: tags, Layers };
  });
  return files.set('manifest.json', json(manifest));
}

export async function writeFiles(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  return directory;
}

/** A tar archive of files. */
export async function tarOfFiles(files: ReadonlyMap<string, Uint8Array>): Promise<Buffer> {
  const entries = [...files].map(([path, bytes]): [string, Entry] => [
    path,
    { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: bytesContent(bytes) },
  ]);
  return collectTar(Tree.from(entries));
}

export async function collectTar(tree: Tree): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of tarOf(tree)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
