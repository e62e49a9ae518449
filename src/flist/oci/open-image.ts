import { stat } from 'node:fs/promises';
import { Failure } from '../../base/errors.ts';
import { openTar } from '../tar-source.ts';
import { dockerArchiveImage, isDockerArchive } from './docker-archive.ts';
import type { Image, ImageChoice } from './image.ts';
import { archiveFiles, directoryFiles, type ImageFiles } from './image-files.ts';
import type { OpenImage } from './image-tree.ts';
import { isLayout, layoutImage } from './layout.ts';

/** How an image is stored in files. */
export type ImageFormat = 'oci' | 'docker-archive';

/** The format of the image in these files, an OCI layout before all else; undefined when there is none. */
export async function imageFormat(files: ImageFiles): Promise<ImageFormat | undefined> {
  if (await isLayout(files)) return 'oci';
  return (await isDockerArchive(files)) ? 'docker-archive' : undefined;
}

/**
 * Opens the image in a directory or a tar archive, which may be compressed.
 * @param format that it has; by default whichever is found
 * @throws Failure `not-found`, `failed` when there is no image, and as the formats say
 */
export async function openImageAt(
  path: string,
  choice: ImageChoice,
  format?: ImageFormat,
): Promise<OpenImage> {
  return openStoredImage(await openFiles(path), choice, format);
}

/** Opens the image in files, and closes them when there is none. */
export async function openStoredImage(
  files: ImageFiles,
  choice: ImageChoice,
  format?: ImageFormat,
): Promise<OpenImage> {
  const close = () => files.close();
  try {
    return { image: await imageIn(files, choice, format ?? (await imageFormat(files))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function imageIn(files: ImageFiles, choice: ImageChoice, format: ImageFormat | undefined): Promise<Image> {
  switch (format) {
    case 'oci':
      return layoutImage(files, choice);
    case 'docker-archive':
      return dockerArchiveImage(files, choice);
    case undefined:
      throw new Failure('failed', `${files.name} holds no image`, {
        hint: 'an image is an OCI image layout, a tar archive of one, or what docker save writes',
      });
  }
}

async function openFiles(path: string): Promise<ImageFiles> {
  const isDirectory = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (isDirectory) return directoryFiles(path);
  const { tree, close } = await openTar(path);
  return archiveFiles(path, tree, close);
}
