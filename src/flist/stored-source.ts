import { open, stat } from 'node:fs/promises';
import { errnoOf, Failure } from '../base/errors.ts';
import { openRoutes } from '../store/open.ts';
import type { Route } from '../store/route.ts';
import type { Exclude } from '../tree/exclude.ts';
import type { Entry } from '../tree/tree.ts';
import { readManifest } from './manifest/manifest.ts';
import { manifestEntries, storeReader } from './manifest/manifest-tree.ts';
import type { GivenCredentials } from './oci/credentials.ts';
import type { ImageChoice } from './oci/image.ts';
import { archiveFiles, directoryFiles } from './oci/image-files.ts';
import { type OpenImage, type PullProgress, readImageTree } from './oci/image-tree.ts';
import { type ImageLocation, openImage, parseImageLocation } from './oci/locate-image.ts';
import { type ImageFormat, imageFormat, openStoredImage } from './oci/open-image.ts';
import { machinePlatform, type Platform } from './oci/platform.ts';
import { isTar, openTar } from './tar-source.ts';

/** A tree that is stored in some form, to be packed: entries in the order of a manifest, whose contents can be read until it is closed. */
export interface StoredSource {
  readonly kind: 'tar' | 'image' | 'flist';
  entries(): Iterable<readonly [path: string, entry: Entry]>;
  close(): Promise<void>;
}

/** A plain directory, which is no stored form of anything else. */
export interface PlainDirectory {
  readonly kind: 'directory';
  readonly path: string;
}

export interface StoredSourceOptions {
  /** What is left out; nothing by default. */
  readonly exclude?: Exclude | undefined;
  /** Of an image that is there for several platforms; that of this machine by default. */
  readonly platform?: Platform | undefined;
  /** Where the blocks of a flist are; by default where it says. */
  readonly routes?: readonly Route[] | undefined;
  /** For an image in a registry. */
  readonly credentials?: GivenCredentials | undefined;
  /** Whether a registry is asked without TLS. */
  readonly isInsecure?: boolean | undefined;
  readonly onPull?: ((progress: PullProgress) => void) | undefined;
}

type Opener = (path: string, options: StoredSourceOptions) => Promise<StoredSource | PlainDirectory>;

/** What stands before a path, when it is not to be found out by what is there. */
const openers: Readonly<Record<string, Opener>> = {
  dir: async (path) => ({ kind: 'directory', path }),
  tar: openTarSource,
  flist: openFlistSource,
};

/**
 * Opens what is to be packed, which it tells by its content: a directory, an OCI image layout in one or in a tar archive, what
 * `docker save` wrote, another tar archive, plain or compressed, or a flist. `dir:`, `tar:` and `flist:` before a path say what it
 * is; `oci:`, `oci-archive:` and `docker-archive:` too, with `:NAME` behind it for one of several images; `docker://NAME` is an
 * image of a registry.
 * @throws Failure `not-found`, `failed` for what is none of these, and those of each kind
 */
export async function openStoredSource(
  target: string,
  options: StoredSourceOptions = {},
): Promise<StoredSource | PlainDirectory> {
  const location = parseImageLocation(target);
  if (location) return openLocation(location, options);
  const [, prefix = '', path = ''] = /^([a-z]+):(.*)$/s.exec(target) ?? [];
  if (Object.hasOwn(openers, prefix)) return openers[prefix]!(path, options);
  return (await openerFor(target))(target, options);
}

async function openerFor(target: string): Promise<Opener> {
  const stats = await stat(target).catch((cause: unknown) => {
    const isMissing = errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR';
    throw new Failure(isMissing ? 'not-found' : 'denied', `cannot find ${target}`, {
      cause,
      hint: isMissing ? 'look at the path' : 'run as a user who may read it',
    });
  });
  if (stats.isDirectory()) {
    const files = directoryFiles(target);
    const format = await imageFormat(files).finally(files.close);
    return format === 'oci' ? openImageSource(format) : openers['dir']!;
  }
  if (!stats.isFile()) throw nothing(target);
  if (await isSqlite(target)) return openFlistSource;
  if (await isTar(target)) return openArchiveSource;
  throw nothing(target);
}

function nothing(target: string): Failure {
  return new Failure('failed', `${target} is nothing that can be packed`, {
    hint: 'name a directory, a tar archive, an image or a flist',
  });
}

async function isSqlite(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(15), 0, 15, 0);
    return buffer.toString('latin1') === 'SQLite format 3';
  } finally {
    await file.close();
  }
}

async function openTarSource(path: string, { exclude }: StoredSourceOptions): Promise<StoredSource> {
  const { tree, close } = await openTar(path);
  return { kind: 'tar', entries: () => without(tree, exclude), close };
}

/** A tar archive may hold an image. */
async function openArchiveSource(path: string, options: StoredSourceOptions): Promise<StoredSource> {
  const { tree, close } = await openTar(path);
  const files = archiveFiles(path, tree, close);
  const format = await imageFormat(files);
  if (format === undefined) return { kind: 'tar', entries: () => without(tree, options.exclude), close };
  return imageSource(await openStoredImage(files, choiceOf(options), format), options);
}

async function openFlistSource(
  path: string,
  { exclude, routes }: StoredSourceOptions,
): Promise<StoredSource> {
  const manifest = await readManifest(path);
  const readBlock = storeReader(await openRoutes(routes ?? manifest.routes));
  return {
    kind: 'flist',
    entries: () => without(manifestEntries(manifest, readBlock), exclude),
    close: async () => {},
  };
}

function openImageSource(format: ImageFormat): Opener {
  return async (path, options) =>
    imageSource(await openStoredImage(directoryFiles(path), choiceOf(options), format), options);
}

async function openLocation(location: ImageLocation, options: StoredSourceOptions): Promise<StoredSource> {
  return imageSource(await openImage(location, choiceOf(options), options), options);
}

async function imageSource(
  image: OpenImage,
  { exclude, onPull }: StoredSourceOptions,
): Promise<StoredSource> {
  const { tree, close } = await readImageTree(image, onPull && { onProgress: onPull });
  return { kind: 'image', entries: () => without(tree, exclude), close };
}

function choiceOf({ platform }: StoredSourceOptions): ImageChoice {
  return { platform: platform ?? machinePlatform(), isPlatformDemanded: platform !== undefined };
}

/** The entries that are not left out; below a directory that is, nothing is looked at. */
function* without(
  entries: Iterable<readonly [string, Entry]>,
  exclude: Exclude | undefined,
): Generator<readonly [string, Entry]> {
  let left: string | undefined;
  for (const [path, entry] of entries) {
    if (left !== undefined && path.startsWith(left)) continue;
    const isDirectory = entry.kind === 'directory';
    if (path === '' || !exclude?.(path, isDirectory)) yield [path, entry];
    else left = isDirectory ? `${path}/` : left;
  }
}
