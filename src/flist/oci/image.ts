import { Failure } from '../../base/errors.ts';
import type { Content } from '../../tree/content.ts';
import { configLimit, type ImageConfig, parseConfig } from './config.ts';
import { type Digest, readVerified } from './digest.ts';
import { type Descriptor, type Document, documentLimit, type Manifest, parseDocument } from './documents.ts';
import { bestFor, formatPlatform, type Platform, runsOn } from './platform.ts';

/** One layer of an image. */
export interface Layer {
  /** For messages. */
  readonly name: string;
  /** The archive as it is stored, compressed or not. */
  readonly content: Content;
  /** What `content` has to be, where the image says it. */
  readonly stored?: { readonly digest: Digest; readonly size: number };
  /** The digest of the plain tar archive. */
  readonly diffId: Digest;
}

/** An image for one platform whose documents are read and verified, and whose layers are not yet. */
export interface Image {
  /** For messages. */
  readonly name: string;
  /** The digest of the manifest, where there is one. */
  readonly digest?: Digest;
  readonly config: ImageConfig;
  /** From the lowest up. */
  readonly layers: readonly Layer[];
}

/** Where the documents and blobs of images are. */
export interface ImageSource {
  /** For messages. */
  readonly name: string;
  /** The bytes of an index or manifest, not verified. */
  document(descriptor: Descriptor): Promise<Content>;
  /** The bytes of a configuration or layer, not verified. */
  blob(descriptor: Descriptor): Promise<Content>;
}

/** Which of several images is wanted. */
export interface ImageChoice {
  readonly platform: Platform;
  /** Whether the platform was asked for; otherwise an image for one other platform is taken as it is. */
  readonly isPlatformDemanded?: boolean;
  /** The name of the image in a store that has several. */
  readonly name?: string;
  /** Whether the only image there must have that name too. */
  readonly isNameDemanded?: boolean;
}

/** An index, which may be nested in indexes, leads to a manifest in so many steps at most. */
const mostIndexes = 4;

/**
 * The image that a document leads to.
 * @param digest of the document
 * @throws Failure `not-found` when there is none for the platform, `corrupt` and `hostile` for documents that are not what
 * they must be
 */
export async function resolveImage(
  source: ImageSource,
  start: Document,
  choice: ImageChoice,
  digest?: Digest,
): Promise<Image> {
  let document = start;
  let is = digest;
  for (let indexes = 0; document.kind === 'index'; indexes++) {
    if (indexes === mostIndexes)
      throw new Failure(
        'hostile',
        `${source.name} has more than ${mostIndexes} image indexes one in the other`,
      );
    const next = choose(source, document.manifests, choice);
    const name = `${source.name}: the manifest ${next.digest}`;
    const content = await source.document(next);
    document = parseDocument(
      await readVerified(content.chunks(), next, name, documentLimit),
      name,
      next.mediaType,
    );
    is = next.digest;
  }
  return imageOf(source, document, choice, is);
}

/** The entry of an index for a platform. Entries that are no images (attestations) have the platform `unknown`. */
function choose(
  source: ImageSource,
  all: readonly Descriptor[],
  { platform, isPlatformDemanded }: ImageChoice,
): Descriptor {
  const images = all.filter((each) => each.platform?.os !== 'unknown');
  const best = bestFor(platform, images);
  if (best) return best;
  const [only] = images;
  if (only && images.length === 1 && (!only.platform || !isPlatformDemanded)) return only;
  const has = [...new Set(images.map((each) => (each.platform ? formatPlatform(each.platform) : 'unnamed')))];
  throw new Failure('not-found', `${source.name} has no image for ${formatPlatform(platform)}`, {
    hint: has.length > 0 ? `choose one with --platform: ${has.join(', ')}` : 'it has no image at all',
  });
}

async function imageOf(
  source: ImageSource,
  manifest: Manifest,
  choice: ImageChoice,
  digest: Digest | undefined,
): Promise<Image> {
  const name = `${source.name}: the configuration`;
  const text = await readVerified(
    (await source.blob(manifest.config)).chunks(),
    manifest.config,
    name,
    configLimit,
  );
  const config = parseConfig(text, name);
  checkPlatform(source.name, config, choice);
  checkLayers(source.name, config, manifest.layers.length);
  const layers: Layer[] = [];
  for (const [index, stored] of manifest.layers.entries())
    layers.push({
      name: `${source.name}: layer ${stored.digest}`,
      content: await source.blob(stored),
      stored,
      diffId: config.diffIds[index]!,
    });
  return { name: source.name, ...(digest !== undefined && { digest }), config, layers };
}

/** @throws Failure `not-found` when an image is for another platform than the one that was asked for. */
export function checkPlatform(
  name: string,
  config: ImageConfig,
  { platform, isPlatformDemanded }: ImageChoice,
): void {
  if (isPlatformDemanded && !runsOn(platform, config.platform))
    throw new Failure('not-found', `${name} is for ${formatPlatform(config.platform)}`, {
      hint: `leave out --platform ${formatPlatform(platform)} to take it as it is`,
    });
}

/** @throws Failure `corrupt` when a configuration speaks of more or fewer layers than there are. */
export function checkLayers(name: string, config: ImageConfig, layers: number): void {
  if (config.diffIds.length !== layers)
    throw new Failure(
      'corrupt',
      `${name} has ${layers} layers, but its configuration ${config.diffIds.length}`,
    );
}
