import { z } from 'zod';
import { Failure } from '../../base/errors.ts';
import type { Content } from '../../tree/content.ts';
import { collect, splitDigest } from './digest.ts';
import {
  checked,
  type Descriptor,
  documentLimit,
  type Index,
  parseDocument,
  parseJson,
} from './documents.ts';
import { type Image, type ImageChoice, type ImageSource, resolveImage } from './image.ts';
import type { ImageFiles } from './image-files.ts';
import { sameReference } from './reference.ts';

const marker = z.object({ imageLayoutVersion: z.string() });
const refName = 'org.opencontainers.image.ref.name';
/** Where containerd and Docker write the name in full. */
const fullName = 'io.containerd.image.name';

/** Whether files are an OCI image layout (OCI image spec, "Image Layout"). */
export async function isLayout(files: ImageFiles): Promise<boolean> {
  const file = await files.file('oci-layout');
  if (file === undefined || file.size > 4096 || !(await files.file('index.json'))) return false;
  try {
    return marker.safeParse(parseJson(await file.read(), 'oci-layout')).success;
  } catch {
    return false;
  }
}

/**
 * The image in an OCI image layout.
 * @param choice.name that its index has for it, in full or as in `org.opencontainers.image.ref.name`
 * @throws Failure `usage` when there are several and none is named, `not-found` when there is none of the name
 */
export async function layoutImage(files: ImageFiles, choice: ImageChoice): Promise<Image> {
  const version = checked(marker, await readJson(files, 'oci-layout', 4096), `${files.name}: oci-layout`);
  if (!version.imageLayoutVersion.startsWith('1.'))
    throw new Failure(
      'failed',
      `${files.name} is an OCI image layout of version ${version.imageLayoutVersion}`,
      {
        hint: 'version 1 is supported',
      },
    );
  const name = `${files.name}: index.json`;
  const index = parseDocument(await readFile(files, 'index.json', documentLimit), name);
  if (index.kind !== 'index') throw new Failure('corrupt', `${name} is no image index`);
  const chosen = chooseNamed(files.name, index, choice);
  return resolveImage(layoutSource(files), chosen, choice);
}

/** The entries of the index that have the name, or all of them when they are one image. */
function chooseNamed(files: string, index: Index, { name, isNameDemanded }: ImageChoice): Index {
  const names = new Set(index.manifests.flatMap((each) => namesOf(each).slice(0, 1)));
  if (names.size === 0 || (names.size === 1 && !isNameDemanded)) return index;
  if (name === undefined)
    throw new Failure('usage', `${files} has several images`, {
      hint: `name one of: ${[...names].join(', ')}`,
    });
  const manifests = index.manifests.filter((each) =>
    namesOf(each).some((has) => has === name || sameReference(has, name)),
  );
  if (manifests.length > 0) return { ...index, manifests };
  throw new Failure('not-found', `${files} has no image ${JSON.stringify(name)}`, {
    hint: `it has ${[...names].join(', ')}`,
  });
}

function namesOf({ annotations }: Descriptor): string[] {
  return [annotations?.[refName], annotations?.[fullName]].filter((each) => each !== undefined);
}

function layoutSource(files: ImageFiles): ImageSource {
  const blob = async ({ digest, size }: Descriptor): Promise<Content> => {
    const { algorithm, hex } = splitDigest(digest);
    const content = await files.file(`blobs/${algorithm}/${hex}`);
    if (content === undefined)
      throw new Failure('not-found', `${files.name} lacks the blob ${digest}`, {
        hint: 'the layout is not whole, or holds another platform only; get it again',
      });
    if (content.size !== size)
      throw new Failure('corrupt', `${files.name}: ${digest} has ${content.size} bytes, expected ${size}`, {
        hint: 'get the image again, or from another place',
      });
    return content;
  };
  return { name: files.name, document: blob, blob };
}

async function readJson(files: ImageFiles, path: string, limit: number): Promise<unknown> {
  return parseJson(await readFile(files, path, limit), `${files.name}: ${path}`);
}

/** @throws Failure `not-found`, and `hostile` for more bytes than the limit. */
export async function readFile(files: ImageFiles, path: string, limit: number): Promise<Uint8Array> {
  const content = await files.file(path);
  if (content === undefined)
    throw new Failure('not-found', `${files.name} has no file ${path}`, {
      hint: 'it is no image, or not whole',
    });
  return collect(content.chunks(), `${files.name}: ${path}`, limit);
}
