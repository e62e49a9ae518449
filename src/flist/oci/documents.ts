import { z } from 'zod';
import { Failure } from '../../base/errors.ts';
import { isDigest } from './digest.ts';

/** More bytes than any index or manifest has; registries refuse larger ones too (OCI distribution spec, "Pushing Manifests"). */
export const documentLimit = 4 << 20;

/** More layers than any image has: overlay mounts and Docker take far fewer. */
const mostLayers = 512;

const digest = z.string().refine(isDigest, 'is no sha256 or sha512 digest');
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const platform = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().nullish(),
});

const descriptor = z.object({
  mediaType: z.string().default(''),
  digest,
  size: bytes,
  platform: platform.nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor).max(mostLayers) });

/** What and where a document or blob is (OCI image spec, "Content Descriptors"). */
export type Descriptor = z.infer<typeof descriptor>;

/** One image for several platforms, or several images (OCI image index, Docker manifest list). */
export interface Index extends z.infer<typeof index> {
  readonly kind: 'index';
}

/** One image for one platform (OCI image manifest, Docker image manifest version 2 schema 2). */
export interface Manifest extends z.infer<typeof manifest> {
  readonly kind: 'manifest';
}

export type Document = Index | Manifest;

const kinds: Readonly<Record<string, Document['kind']>> = {
  'application/vnd.oci.image.index.v1+json': 'index',
  'application/vnd.docker.distribution.manifest.list.v2+json': 'index',
  'application/vnd.oci.image.manifest.v1+json': 'manifest',
  'application/vnd.docker.distribution.manifest.v2+json': 'manifest',
};

/** The media types of the documents that `parseDocument` reads. */
export const documentTypes: readonly string[] = Object.keys(kinds);

/**
 * Reads an index or a manifest. What it is follows from its members; a media type that says another thing is refused, because
 * the same bytes must not mean two images (CVE-2021-41190).
 * @param mediaType what the descriptor or the server says that it is
 * @throws Failure `corrupt` for what is neither, `failed` for formats and things that are no image
 */
export function parseDocument(text: Uint8Array, name: string, mediaType?: string): Document {
  const value = parseJson(text, name);
  const members = z.looseObject({ schemaVersion: z.number().optional(), mediaType: z.string().optional() });
  const shape = checked(members, value, name);
  if (shape.schemaVersion === 1)
    throw new Failure('failed', `${name} has the image format of before 2016 (Docker schema 1)`, {
      hint: 'pull and push the image with a newer program',
    });
  const isIndex = 'manifests' in shape;
  if (isIndex === ('layers' in shape || 'config' in shape))
    throw new Failure('corrupt', `${name} is neither an image index nor an image manifest`);
  const kind = isIndex ? 'index' : 'manifest';
  for (const said of [mediaType, shape.mediaType])
    if (said !== undefined && Object.hasOwn(kinds, said) && kinds[said] !== kind)
      throw new Failure('corrupt', `${name} is an ${kind}, but is said to be ${said}`);
  return kind === 'index'
    ? { kind, ...checked(index, value, name) }
    : checkImage({ kind, ...checked(manifest, value, name) }, name);
}

const configTypes = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];
const layerType =
  /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(\.foreign)?\.diff\.tar)([.+](gzip|zstd))?$/;

/** Manifests hold other things too: charts, signatures, programs. */
function checkImage(document: Manifest, name: string): Manifest {
  const { config, layers } = document;
  const other =
    !configTypes.includes(config.mediaType) && config.mediaType !== ''
      ? config.mediaType
      : layers.map(({ mediaType }) => mediaType).find((type) => type !== '' && !layerType.test(type));
  if (other !== undefined)
    throw new Failure(
      'failed',
      `${name} is no image of a root file system: it holds ${JSON.stringify(other)}`,
      {
        hint: 'name an image that a container runtime can run',
      },
    );
  return document;
}

/** @throws Failure `corrupt` when it is not JSON. */
export function parseJson(text: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (cause) {
    throw new Failure('corrupt', `${name} is not JSON`, { cause });
  }
}

/** A value of a shape. @throws Failure `corrupt` that names the first member that is wrong. */
export function checked<T>(shape: z.ZodType<T>, value: unknown, name: string): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue!.path.length > 0 ? `${issue!.path.join('.')}: ` : '';
  throw new Failure('corrupt', `${name} is damaged: ${place}${issue!.message}`);
}
