import { Failure } from '../base/errors.ts';
import { nameHardLinks } from './hard-links.ts';
import { Tree } from './tree.ts';
import { walkDirectory } from './walk-directory.ts';

/**
 * The tree below a directory of this machine, as it is now. Contents stay where they are and are read when wanted.
 * Names of one inode become a hard-link group. Extended attributes are not read.
 * @throws Failure `not-found` when there is no such directory, `denied` when something in it may not be read,
 * `failed` when a name in it is not UTF-8.
 */
export async function treeFromDirectory(directory: string): Promise<Tree> {
  const entries = [...walkDirectory(directory)];
  for (const [path] of entries)
    if (!path.isWellFormed())
      throw new Failure('failed', `${directory}: the name ${JSON.stringify(path)} is not UTF-8`);
  return nameHardLinks(Tree.from(entries));
}
