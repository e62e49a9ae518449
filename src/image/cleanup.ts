import { matchesGlob } from 'node:path';
import type { Tree } from '../tree/tree.ts';

/**
 * A tree without the paths that match one of the globs (`*`, `**`, `{a,b}`; `DIR/**` means the directory too), and what
 * that saved.
 */
export function removePaths(
  tree: Tree,
  globs: readonly string[],
): { tree: Tree; removed: number; bytes: number } {
  const expanded = globs.flatMap((glob) => (glob.endsWith('/**') ? [glob, glob.slice(0, -3)] : [glob]));
  const kept = tree.map((path, entry) =>
    expanded.some((glob) => matchesGlob(path, glob)) ? undefined : entry,
  );
  return { tree: kept, removed: tree.size - kept.size, bytes: tree.contentSize() - kept.contentSize() };
}
