import { type GivenCredentials, loginFor } from './credentials.ts';
import type { ImageChoice } from './image.ts';
import type { OpenImage } from './image-tree.ts';
import { openImageAt } from './open-image.ts';
import { type ImageReference, parseReference } from './reference.ts';
import { openRegistryImage, type RegistryOptions } from './registry.ts';

/** Where an image is: in a registry, or in files of a format. */
export type ImageLocation =
  | { readonly kind: 'registry'; readonly reference: ImageReference }
  | { readonly kind: 'oci' | 'docker-archive'; readonly path: string; readonly name?: string };

const transports: Readonly<Record<string, 'oci' | 'docker-archive'>> = {
  oci: 'oci',
  'oci-archive': 'oci',
  'docker-archive': 'docker-archive',
};

/**
 * Reads `docker://NAME`, `oci:PATH[:NAME]`, `oci-archive:PATH[:NAME]`, `docker-archive:PATH[:NAME]`, as skopeo and podman have them
 * (containers-transports(5)); undefined for what begins with none of these.
 * @throws Failure `usage` for a wrong name of a registry's image
 */
export function parseImageLocation(text: string): ImageLocation | undefined {
  if (text.startsWith('docker://'))
    return { kind: 'registry', reference: parseReference(text.slice('docker://'.length)) };
  const [, transport = '', path = '', name] = /^([a-z-]+):([^:]+)(?::(.+))?$/s.exec(text) ?? [];
  if (!Object.hasOwn(transports, transport)) return undefined;
  return { kind: transports[transport]!, path, ...(name !== undefined && { name }) };
}

export interface LocatedImageOptions {
  /** For a registry. */
  readonly credentials?: GivenCredentials | undefined;
  readonly isInsecure?: boolean | undefined;
  readonly retry?: RegistryOptions['retry'] | undefined;
}

/** Opens an image. @throws Failure as `openRegistryImage`, `loginFor` and `openImageAt` */
export async function openImage(
  location: ImageLocation,
  choice: ImageChoice,
  { credentials = {}, isInsecure = false, retry }: LocatedImageOptions = {},
): Promise<OpenImage> {
  if (location.kind !== 'registry') {
    const { path, name, kind } = location;
    return openImageAt(path, name === undefined ? choice : { ...choice, name, isNameDemanded: true }, kind);
  }
  const login = await loginFor(location.reference.registry, credentials);
  return openRegistryImage(location.reference, choice, { login, isInsecure, ...(retry && { retry }) });
}
