import { Failure } from '../base/errors.ts';
import { parseBytes } from '../base/units.ts';
import type { FlistKind } from './flist-outcome.ts';

/** Where a flist of the node is and how long to wait for it. */
export interface FlistSettings {
  /** The manifest's file name, such as `modules-6.1.0-56-amd64.fl`. */
  readonly name: string;
  /** `<base>/manifests/<name>`. */
  readonly manifest: URL;
  /** `<base>/blocks`. */
  readonly blocks: URL;
  /** Seconds to wait for the manifest; 0 asks once. */
  readonly patience: number;
  /** Bytes that the blocks of all flists together may take in memory. */
  readonly cacheSize: number;
}

/** What decides about flists, each as `KEY` to value. */
export interface FlistSources {
  readonly cmdline: ReadonlyMap<string, string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `/etc/zero-os-flists` of the image. */
  readonly image: ReadonlyMap<string, string>;
  /** Bytes of memory that the node has. */
  readonly memory: number;
}

const defaultPatience = 60;
/** Percent of the node's memory: everything that it read is kept on most nodes, and a small one has the rest for its work. */
const defaultCacheShare = 12.5;

/**
 * The settings for a flist, or why there shall be none. The base address is `FLISTS_BASE_URL`, else `FLIST_BASE_URL`, of the
 * kernel command line, else the environment, else the image. `zos.flists=off` on the command line wants no flists,
 * `zos.flists.wait=SECONDS` sets the patience, `zos.flists.cache=SIZE` the size of the cache.
 * @throws Failure `config` for an address that is not http or https, a patience that is no number, or a size that is none
 */
export function flistSettings(
  kind: FlistKind,
  { cmdline, environment, image, memory }: FlistSources,
): FlistSettings | { readonly off: string } {
  if (cmdline.get('zos.flists') === 'off') return { off: 'the kernel command line says zos.flists=off' };
  const nameKey = `${kind.toUpperCase()}_FLIST`;
  const name = image.get(nameKey);
  if (!name) return { off: `the image names no ${nameKey}` };
  const base =
    baseAddress((key) => cmdline.get(key)) ??
    baseAddress((key) => environment[key]) ??
    baseAddress((key) => image.get(key));
  if (base === undefined)
    return { off: 'there is no FLISTS_BASE_URL on the kernel command line or in the image' };
  return {
    name,
    ...addresses(base, name),
    patience: patience(cmdline.get('zos.flists.wait')),
    cacheSize: cacheSize(cmdline.get('zos.flists.cache'), memory),
  };
}

function baseAddress(read: (key: string) => string | undefined): string | undefined {
  return read('FLISTS_BASE_URL') || read('FLIST_BASE_URL') || undefined;
}

function addresses(base: string, name: string): Pick<FlistSettings, 'manifest' | 'blocks'> {
  const directory = URL.canParse(base) ? new URL(base) : undefined;
  if (directory?.protocol !== 'http:' && directory?.protocol !== 'https:')
    throw new Failure('config', 'FLISTS_BASE_URL is not an http or https address', {
      hint: 'for example FLISTS_BASE_URL=http://flists.example.com/zos',
    });
  if (!directory.pathname.endsWith('/')) directory.pathname += '/';
  const below = (path: string) => {
    const url = new URL(directory);
    url.pathname += path;
    return url;
  };
  return { manifest: below(`manifests/${encodeURIComponent(name)}`), blocks: below('blocks') };
}

function patience(text: string | undefined): number {
  if (text === undefined) return defaultPatience;
  if (!/^\d{1,6}$/.test(text))
    throw new Failure('config', `zos.flists.wait=${text} is not a number of seconds`);
  return Number(text);
}

function cacheSize(text: string | undefined, memory: number): number {
  if (text === undefined) return Math.floor((memory * defaultCacheShare) / 100);
  const [, share] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  if (share !== undefined && Number(share) <= 100) return Math.floor((memory * Number(share)) / 100);
  try {
    return parseBytes(text);
  } catch (cause) {
    throw new Failure('config', `zos.flists.cache=${text} is no size of a cache`, {
      cause,
      hint: 'write a number of bytes, 500MB or 2GiB, or a share of the memory, 20%',
    });
  }
}

/** An address as it may be shown: without user, password and query, which may hold secrets. */
export function publicAddress(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
