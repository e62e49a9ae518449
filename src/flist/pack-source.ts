import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { loadLibc } from '../base/libc.ts';
import type { Route } from '../store/route.ts';
import { excludeMatching } from '../tree/exclude.ts';
import type { Entry } from '../tree/tree.ts';
import { WalkAhead } from '../tree/walk-ahead.ts';
import { lookAgain, lookAtXattrs, type WalkOptions, walkDirectory } from '../tree/walk-directory.ts';
import type { PullProgress } from './oci/image-tree.ts';
import type { Platform } from './oci/platform.ts';
import { PackProblems } from './pack/problems.ts';
import { type SourceRoot, sourceRoot } from './pack/source-root.ts';

/** Something that can be packed. */
export interface PackSource {
  /** Depth first: the root as `''`, a directory before what is in it, the names of one directory in byte order. */
  entries(): Iterable<readonly [path: string, entry: Entry]>;
  /** The same, found by a thread from now on, where that is of use to who has something else to do first. */
  readonly entriesAhead?: () => WalkAhead;
  /** What is at a path now, where that may change while it is packed; undefined when nothing is there any more. */
  readonly again?: (path: string) => Entry | undefined;
  /** The extended attributes of what is at a path now, where the entries come without them. */
  readonly xattrs?: ((path: string) => Entry['xattrs']) | undefined;
  /** The directory that is packed. */
  readonly root?: SourceRoot | undefined;
  /** What could not be read while the entries were found. */
  readonly problems?: PackProblems;
  /** What of the source a flist will not have, for people; absent when it will have all. */
  readonly lost?: string;
  close(): Promise<void>;
}

export interface PackSourceOptions {
  /** What to leave out: patterns as `.gitignore` has them. */
  readonly exclude?: readonly string[];
  /** Whether directories on which other file systems are mounted are taken as empty ones. */
  readonly oneFileSystem?: boolean | undefined;
  /** Of an image that is there for several platforms; that of this machine by default. */
  readonly platform?: Platform | undefined;
  /** Where the blocks of a flist are that is packed again; by default where it says. */
  readonly routes?: readonly Route[] | undefined;
  readonly onPull?: ((progress: PullProgress) => void) | undefined;
}

/**
 * Opens what is to be packed: a directory, a tar archive, a container image or a flist, as `openStoredSource` tells them.
 * @throws Failure of `openStoredSource`, or `usage` for a pattern that can match nothing.
 */
export async function openPackSource(target: string, options: PackSourceOptions = {}): Promise<PackSource> {
  const exclude = excludeMatching(options.exclude ?? []);
  if (await isPlainDirectory(target)) return directorySource(target, options);
  const { openStoredSource } = await import('./stored-source.ts');
  const source = await openStoredSource(target, { ...options, exclude });
  return source.kind === 'directory' ? directorySource(source.path, options) : source;
}

/** Whether a target can be nothing but a directory, so that what reads all the other kinds need not be loaded. */
async function isPlainDirectory(target: string): Promise<boolean> {
  if (/^[a-z-]+:/.test(target)) return false;
  const isDirectory = await stat(target).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  const hasMark = await access(join(target, 'oci-layout')).then(
    () => true,
    () => false,
  );
  return isDirectory && !hasMark;
}

/** A directory of this machine, with everything in it that a flist can hold. */
export async function directorySource(directory: string, options: WalkOptions = {}): Promise<PackSource> {
  const problems = new PackProblems();
  const libc = await loadLibc();
  const onProblem: WalkOptions['onProblem'] = (path, error) => problems.add(path, error);
  return {
    entries: () => walkDirectory(directory, { ...options, onProblem }),
    entriesAhead: () => new WalkAhead(directory, { ...options, onProblem }),
    again: (path) => lookAgain(directory, path),
    xattrs: libc && ((path) => lookAtXattrs(directory, path, libc)),
    root: sourceRoot(directory),
    problems,
    ...(libc === undefined && { lost: 'extended attributes, since the npm package koffi is missing' }),
    async close() {},
  };
}
