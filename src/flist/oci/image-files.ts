import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, Failure } from '../../base/errors.ts';
import type { OpenFile } from '../../base/file-range.ts';
import { type Content, SliceContent } from '../../tree/content.ts';
import { resolvePath } from '../../tree/links.ts';
import type { TreeBuilder } from '../../tree/tree-builder.ts';

/** The files of a stored image: of a directory, or of an archive that is open. */
export interface ImageFiles {
  /** For messages. */
  readonly name: string;
  /** The regular file at a path, symbolic links followed; undefined when there is none. */
  file(path: string): Promise<Content | undefined>;
  close(): Promise<void>;
}

/** The files of a directory. Each that was asked for stays open until all are closed. */
export function directoryFiles(directory: string): ImageFiles {
  const opened: OpenFile[] = [];
  return {
    name: directory,
    async file(path) {
      const file = await openFile(join(directory, path));
      if (file === undefined) return undefined;
      opened.push(file);
      const stats = await file.handle.stat();
      return stats.isFile() ? new SliceContent(file, 0, stats.size) : undefined;
    },
    async close() {
      for (const { handle } of opened.splice(0)) await handle.close();
    },
  };
}

async function openFile(path: string): Promise<OpenFile | undefined> {
  try {
    return { handle: await open(path), path };
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(cause) ?? '')) return undefined;
    throw new Failure('denied', `cannot read ${path}`, { cause, hint: 'run as a user who may' });
  }
}

/** The files of an archive. @param close lets the archive go */
export function archiveFiles(name: string, tree: TreeBuilder, close: () => Promise<void>): ImageFiles {
  const get = (path: string) => tree.get(path);
  return {
    name,
    async file(path) {
      const resolved = resolvePath(get, path);
      const entry = resolved === undefined ? undefined : get(resolved);
      return entry?.kind === 'file' ? entry.content : undefined;
    },
    close,
  };
}
