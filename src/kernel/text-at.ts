import type { Tree } from '../tree/tree.ts';

/** The text of a file of a tree, undefined when there is none. */
export async function textAt(tree: Tree, path: string): Promise<string | undefined> {
  const file = tree.file(path);
  return file && Buffer.from(await file.content.read()).toString('utf8');
}
