import { z } from 'zod';
import { Failure } from '../../base/errors.ts';
import { configLimit, parseConfig } from './config.ts';
import { readVerified } from './digest.ts';
import { checked, documentLimit, parseJson } from './documents.ts';
import { checkLayers, checkPlatform, type Image, type ImageChoice, type Layer } from './image.ts';
import type { ImageFiles } from './image-files.ts';
import { readFile } from './layout.ts';
import { sameReference } from './reference.ts';

/** `manifest.json` of `docker save` (Moby image spec 1.2, "Combined Image JSON + Filesystem Changeset Format"). */
const shape = z
  .array(
    z.object({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).max(512),
    }),
  )
  .min(1);

type Saved = z.infer<typeof shape>[number];

/** Whether files are what `docker save` wrote: a `manifest.json` of its shape, whose files are there. */
export async function isDockerArchive(files: ImageFiles): Promise<boolean> {
  const file = await files.file('manifest.json');
  if (file === undefined || file.size > documentLimit) return false;
  try {
    const images = shape.safeParse(parseJson(await file.read(), 'manifest.json'));
    return images.success && (await files.file(images.data[0]!.Config)) !== undefined;
  } catch {
    return false;
  }
}

/**
 * The image in an archive of `docker save`. Layers have no digest of their own there; their plain archives are held against
 * the configuration.
 * @param choice.name one of its tags
 * @throws Failure `usage` when there are several and none is named, `not-found` when there is none of the name
 */
export async function dockerArchiveImage(files: ImageFiles, choice: ImageChoice): Promise<Image> {
  const name = `${files.name}: manifest.json`;
  const images = checked(shape, parseJson(await readFile(files, 'manifest.json', documentLimit), name), name);
  const { Config, Layers } = chooseNamed(files.name, images, choice);
  const config = parseConfig(await readConfig(files, Config), `${files.name}: ${Config}`);
  checkPlatform(files.name, config, choice);
  checkLayers(files.name, config, Layers.length);
  const layers: Layer[] = [];
  for (const [index, path] of Layers.entries()) {
    const content = await files.file(path);
    if (content === undefined)
      throw new Failure('not-found', `${files.name} has no layer ${path}`, {
        hint: 'the archive is not whole; save the image again',
      });
    layers.push({ name: `${files.name}: ${path}`, content, diffId: config.diffIds[index]! });
  }
  return { name: files.name, config, layers };
}

/** A configuration is named by its digest. */
async function readConfig(files: ImageFiles, path: string): Promise<Uint8Array> {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  const name = `${files.name}: ${path}`;
  const bytes = await readFile(files, path, configLimit);
  if (hex === undefined) return bytes;
  return readVerified([bytes], { digest: `sha256:${hex}` }, name, configLimit);
}

function chooseNamed(files: string, images: readonly Saved[], { name, isNameDemanded }: ImageChoice): Saved {
  const [only] = images;
  if (images.length === 1 && !(isNameDemanded && only!.RepoTags?.length)) return only!;
  const names = images.flatMap(({ RepoTags }) => RepoTags ?? []).join(', ');
  if (name === undefined)
    throw new Failure('usage', `${files} has several images`, { hint: `name one of: ${names}` });
  const named = images.find(({ RepoTags }) => RepoTags?.some((tag) => sameReference(tag, name)));
  if (named) return named;
  throw new Failure('not-found', `${files} has no image ${JSON.stringify(name)}`, {
    hint: `it has ${names}`,
  });
}
