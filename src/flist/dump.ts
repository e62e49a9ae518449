import { compareBytes } from '../base/names.ts';
import type { EntryKind } from '../tree/tree.ts';
import { textLine } from './dump-fields.ts';
import { type Inode, kindOfMode, makedev, splitDevice, usualSize } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { pathAt } from './manifest/manifest-columns.ts';
import { prefetchRows } from './manifest/prefetch-list.ts';
import { walkManifest } from './walk.ts';

/** The first line of a dump. */
export interface DumpHead {
  readonly flist: 1;
}

export interface DumpedTag {
  readonly tag: string;
  readonly value: string;
}

export interface DumpedRoute {
  readonly route: string;
  readonly start: number;
  readonly end: number;
}

/** Blocks of a file that are to be fetched before they are asked for, the first and the last by their index. */
export interface DumpedPrefetch {
  /** The path of the file. */
  readonly prefetch: string;
  readonly first: number;
  readonly last: number;
}

/** A block of the file above it. */
export interface DumpedBlock {
  readonly id: string;
  readonly key: string;
}

/** An inode. What is absent has the value that such an entry usually has. */
export interface DumpedInode {
  /** As in a `Tree`: `''` is the root. A byte that is not UTF-8 is the surrogate that `decodeName` makes of it. */
  readonly path: string;
  readonly kind: EntryKind;
  /** The bits of `st_mode` but those of the kind, in octal. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** Nanoseconds of `mtime`, when not 0. */
  readonly ns?: number;
  /** When not `mtime`. */
  readonly ctime?: number;
  /** Of a file always; of something else when it is not the usual one. */
  readonly size?: number;
  readonly device?: readonly [major: number, minor: number];
  /** `st_rdev`, when it is not that of `device`. */
  readonly rdev?: number;
  readonly target?: string;
  /** Of every name of a hard-linked file: the path of its first name. */
  readonly link?: string;
  /** Base64 by name. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

/**
 * The text form of a manifest: a line of JSON each for the head, the tags by key, the routes, what is to be fetched ahead in its
 * order, and the inodes depth first with siblings in byte order, each file followed by its blocks. Inode numbers count these lines. Manifests that say the
 * same have equal text; `writeDump` is the inverse.
 */
export function* dumpLines(manifest: Manifest): Generator<string> {
  const head: DumpHead = { flist: 1 };
  yield textLine(head);
  for (const [tag, value] of [...manifest.tags].sort(([a], [b]) => compareBytes(a, b)))
    yield textLine({ tag, value } satisfies DumpedTag);
  for (const { start, end, url } of manifest.routes)
    yield textLine({ route: url, start, end } satisfies DumpedRoute);
  for (const { row, first, last } of prefetchRows(manifest.columns))
    yield textLine({ prefetch: pathAt(manifest.columns, row), first, last } satisfies DumpedPrefetch);
  const firstPath = firstPaths(manifest);
  for (const { path, inode } of walkManifest(manifest)) {
    yield textLine(dumpInode(path, inode, firstPath(inode, path)));
    for (const { id, key } of manifest.blocksOf(inode.ino)) yield textLine({ id, key } satisfies DumpedBlock);
  }
}

/** Gives each name of a hard-linked file, when asked in the order of the walk, the path of the first. */
export function firstPaths({ columns }: Manifest): (inode: Inode, path: string) => string | undefined {
  const paths = new Map<number, string | undefined>();
  for (const row of columns.link) if (row !== 0) paths.set(columns.ino[row]!, undefined);
  return ({ ino, link = ino }, path) => {
    if (!paths.has(link)) return undefined;
    const first = paths.get(link) ?? path;
    paths.set(link, first);
    return first;
  };
}

function dumpInode(path: string, inode: Inode, link: string | undefined): DumpedInode {
  const { uid, gid, mtime, mtimeNs, ctime, size, target, xattrs } = inode;
  const kind = kindOfMode(inode.mode)!;
  const isDevice = kind === 'character' || kind === 'block';
  const { major, minor } = splitDevice(inode.rdev);
  const usualDevice = isDevice ? makedev(major, minor) : 0;
  return {
    path,
    kind,
    mode: permissionBits(inode.mode).toString(8).padStart(4, '0'),
    uid,
    gid,
    mtime,
    ...(mtimeNs && { ns: mtimeNs }),
    ...(ctime !== mtime && { ctime }),
    ...((kind === 'file' || size !== usualSize(kind, target)) && { size }),
    ...(isDevice && { device: [major, minor] as const }),
    ...(inode.rdev !== usualDevice && { rdev: inode.rdev }),
    ...(target !== undefined && { target }),
    ...(link !== undefined && { link }),
    ...(xattrs && {
      xattrs: Object.fromEntries(
        [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      ),
    }),
  };
}

function permissionBits(mode: number): number {
  return (mode & ~0o170000) >>> 0;
}
