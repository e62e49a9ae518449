import { ArchiveFailures } from './archive-failures.ts';
import { nameHardLinks } from './hard-links.ts';
import { type Entry, Tree, treePath } from './tree.ts';

/** The entries of one archive on their way to a tree. */
export class ArchiveEntries extends ArchiveFailures {
  readonly #entries = new Map<string, Entry>();
  #groups = 0;

  /** Puts an entry in; a second one of the same name takes the place of the first. */
  add(name: string, entry: Entry): void {
    this.#entries.set(
      this.named(() => treePath(name)),
      entry,
    );
  }

  /** Gives an earlier entry a second name. */
  link(name: string, target: string): void {
    const path = this.named(() => treePath(target));
    const entry = this.#entries.get(path);
    if (entry === undefined || entry.kind === 'directory')
      throw this.failure('corrupt', `${name} is a hard link to ${target}, which is no earlier file`);
    if (entry.kind === 'file') {
      const linked = { ...entry, hardLink: entry.hardLink ?? `${this.#groups++}` };
      this.#entries.set(path, linked);
      this.add(name, linked);
    } else {
      this.add(name, entry); // a tree has no links between other kinds
    }
  }

  tree(): Tree {
    return this.named(() => nameHardLinks(Tree.from(this.#entries)));
  }
}
