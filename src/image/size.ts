import type { Tree } from '../tree/tree.ts';

/** Bytes of an image by what brought them. */
export interface SizePart {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Sums the content of a tree by part, largest first.
 * @param partOf the name of the part that a path belongs to
 */
export function sizeByPart(tree: Tree, partOf: (path: string) => string): SizePart[] {
  const parts = new Map<string, { files: number; bytes: number }>();
  for (const [path, entry] of tree) {
    if (entry.kind !== 'file') continue;
    const name = partOf(path);
    const part = parts.get(name) ?? { files: 0, bytes: 0 };
    part.files++;
    part.bytes += entry.content.size;
    parts.set(name, part);
  }
  return [...parts]
    .map(([name, part]) => ({ name, ...part }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}
