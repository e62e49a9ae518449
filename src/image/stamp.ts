import { sha256 } from '../base/digest.ts';
import { dumpTree } from '../tree/dump.ts';
import { Tree } from '../tree/tree.ts';
import { noTime, textEntry } from './entries.ts';

/** What `/etc/zero-os-build-id` says of an image, as shell variables. */
export interface Stamp {
  /** First 16 hex digits of the digest of everything in the image but this file. */
  readonly buildId: string;
  readonly kernelRelease: string;
  /** Seconds since the epoch: the newest time that anything in the image has. */
  readonly epoch: number;
}

/** Where the stamp lies in the image. */
export const stampPath = 'etc/zero-os-build-id';

/** The newest time in a tree, in whole seconds. */
export function newestTime(tree: Tree): number {
  let newest = 0;
  for (const [, entry] of tree) newest = Math.max(newest, entry.mtime);
  return newest;
}

/**
 * No time later than the epoch (the SOURCE_DATE_EPOCH rule), no nanoseconds, and the epoch for everything without a time
 * of its own.
 */
export function clampTimes(tree: Tree, epoch: number): Tree {
  const entries = [...tree].map(([path, { mtimeNs: _, ...entry }]) => {
    const mtime = entry.mtime === noTime ? epoch : Math.min(entry.mtime, epoch);
    return [path, { ...entry, mtime }] as const;
  });
  return Tree.from(entries);
}

/** The finished root of an image: times clamped, and the stamp in it. */
export async function stampImage(
  root: Tree,
  kernelRelease: string,
  epoch: number,
): Promise<{ tree: Tree; stamp: Stamp }> {
  const clamped = clampTimes(root, epoch);
  const stamp: Stamp = { buildId: sha256(await dumpTree(clamped)).slice(0, 16), kernelRelease, epoch };
  const file = { ...textEntry(formatStamp(stamp)), mtime: epoch };
  return { tree: clamped.with([[stampPath, file]]), stamp };
}

export function formatStamp({ buildId, kernelRelease, epoch }: Stamp): string {
  const date = new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
  return `BUILD_ID=${buildId}\nKERNEL_RELEASE=${kernelRelease}\nBUILD_DATE=${date}\n`;
}

/** The stamp of a tree that was read back from an image; undefined when it has none. */
export async function readStamp(tree: Tree): Promise<Stamp | undefined> {
  const content = tree.file(stampPath)?.content;
  if (!content) return undefined;
  const text = Buffer.from(await content.read()).toString();
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  return {
    buildId: field('BUILD_ID'),
    kernelRelease: field('KERNEL_RELEASE'),
    epoch: Date.parse(field('BUILD_DATE')) / 1000,
  };
}
