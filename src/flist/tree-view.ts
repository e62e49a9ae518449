import { printable } from './inspect.ts';
import { kindOfMode } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { walkManifest } from './walk.ts';

export interface TreeViewOptions {
  /** Show the kind of each entry as a picture, as rfs does; else directories end in `/` and links show their target. */
  readonly pictures?: boolean;
}

/** The names of a manifest as an indented tree, a line each. */
export function* treeLines(
  manifest: Manifest,
  { pictures = false }: TreeViewOptions = {},
): Generator<string> {
  for (const { depth, inode } of walkManifest(manifest)) {
    const kind = kindOfMode(inode.mode);
    const name = printable(inode.name);
    const label =
      kind === 'symlink'
        ? `${name} -> ${printable(inode.target ?? '')}`
        : kind === 'directory' && !pictures && depth > 0
          ? `${name}/`
          : name;
    yield '  '.repeat(depth) + (pictures ? `${pictureOf(kind)} ${label}` : label);
  }
}

function pictureOf(kind: ReturnType<typeof kindOfMode>): string {
  switch (kind) {
    case 'directory':
      return '📁';
    case 'file':
      return '📄';
    case 'symlink':
      return '🔗';
    default:
      return '❓';
  }
}
