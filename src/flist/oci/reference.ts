import { Failure } from '../../base/errors.ts';
import { type Digest, isDigest } from './digest.ts';

/**
 * Docker Hub, the registry of an image name without one: what names call it, where it answers, the keys under which Docker keeps
 * its credentials, and the part of it that names without a slash are in.
 */
const dockerHub = {
  name: 'docker.io',
  host: 'registry-1.docker.io',
  credentialKeys: ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'],
  library: 'library',
} as const;

/** The name of an image in a registry. */
export interface ImageReference {
  /** The registry as names call it: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** The path of the image in the registry. */
  readonly repository: string;
  /** Present when there is no digest, and besides it when both were given. */
  readonly tag?: string;
  readonly digest?: Digest;
}

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const tagForm = /^\w[\w.-]{0,127}$/;
const longestName = 255;

/**
 * Reads `[registry/]repository[:tag][@digest]` (the grammar of Docker's distribution). The first component is a registry when
 * it has a dot or colon or is `localhost`; else the image is on Docker Hub. Without tag and digest the tag is `latest`.
 * @throws Failure `usage`.
 */
export function parseReference(text: string): ImageReference {
  const [beforeDigest, digest, ...more] = text.split('@');
  const [, named, tag] = /^(.*?)(?::([^:/]*))?$/s.exec(beforeDigest!)!;
  const [first, ...rest] = named!.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first!) || first === 'localhost');
  const registry = hasRegistry ? registryName(first!) : dockerHub.name;
  const path = hasRegistry ? rest : [first!, ...rest];
  const wrong =
    (more.length > 0 && 'it has two digests') ||
    (hasRegistry && !host.test(first!) && `${JSON.stringify(first)} is no registry`) ||
    (!path.every((part) => component.test(part)) &&
      (path.join('/') === path.join('/').toLowerCase()
        ? `${JSON.stringify(path.join('/'))} is no repository`
        : 'a repository is written in lower case')) ||
    (named!.length > longestName && 'it is too long') ||
    (tag !== undefined && !tagForm.test(tag) && `${JSON.stringify(tag)} is no tag`) ||
    (digest !== undefined && !isDigest(digest) && `${JSON.stringify(digest)} is no sha256 or sha512 digest`);
  const shown =
    more.length > 0 || (digest !== undefined && !isDigest(digest)) ? 'this' : JSON.stringify(text); // user:password@…
  if (wrong)
    throw new Failure('usage', `${shown} is no image name: ${wrong}`, {
      hint: 'write [registry/]repository[:tag][@digest], for example redis:7 or localhost:5000/team/app',
    });
  const isShort = registry === dockerHub.name && path.length === 1;
  return {
    registry,
    repository: isShort ? `${dockerHub.library}/${path[0]}` : path.join('/'),
    ...(tag !== undefined ? { tag } : digest === undefined && { tag: 'latest' }),
    ...(digest !== undefined && { digest }),
  };
}

/** The reference in full: `docker.io/library/redis:7`. */
export function formatReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The one name of a registry: that of Docker Hub for each of its own. */
export function registryName(text: string): string {
  const name = text.toLowerCase();
  const hub: readonly string[] = dockerHub.credentialKeys;
  return hub.includes(name) ? dockerHub.name : name;
}

/** Host and port where a registry answers. */
export function registryHost(registry: string): string {
  return registry === dockerHub.name ? dockerHub.host : registry;
}

/** Whether a registry is on this machine, where no TLS is the rule. */
export function isLoopback(registry: string): boolean {
  const name = registry.replace(/:\d+$/, '');
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    /^127(\.\d{1,3}){3}$/.test(name) ||
    name === '[::1]'
  );
}

/** Whether two texts name the same image, however short they are. */
export function sameReference(a: string, b: string): boolean {
  try {
    return formatReference(parseReference(a)) === formatReference(parseReference(b));
  } catch {
    return false;
  }
}
