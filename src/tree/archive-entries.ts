import { Failure } from '../base/errors.ts';
import { nameHardLinks } from './hard-links.ts';
import { type Entry, Tree, treePath } from './tree.ts';

/** The entries of one archive on their way to a tree. Every failure names the archive. */
export class ArchiveEntries {
  readonly #archive: string;
  readonly #entries = new Map<string, Entry>();
  #groups = 0;

  constructor(archive: string) {
    this.#archive = archive;
  }

  /** A failure about this archive. */
  failure(kind: 'corrupt' | 'hostile' | 'failed', message: string, hint?: string): Failure {
    return new Failure(kind, `${this.#archive}: ${message}`, hint === undefined ? {} : { hint });
  }

  /** Runs a step; when it fails, the failure names the archive. */
  named<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(error.kind, `${this.#archive}: ${error.message}`, {
        cause: error.cause,
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
  }

  /** A name or link target as text. */
  text(bytes: Uint8Array): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      const shown = Buffer.from(bytes).toString('latin1');
      throw this.failure('corrupt', `the name ${JSON.stringify(shown)} is not UTF-8`);
    }
  }

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
