import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { Failure } from '../base/errors.ts';
import { readTextIfPresent, writeAtomic } from '../base/files.ts';
import { type Content, fileContent } from './content.ts';
import { contentDigest, type DumpedContent, dumpedContents, dumpTree, parseTreeDump } from './dump.ts';
import type { Tree } from './tree.ts';

/**
 * Keeps trees on disk between runs: file contents by SHA-256 under `objects/`, the text form of each tree by its own
 * digest under `trees/`. Safe to delete: everything in it can be made again.
 */
export class Depot {
  readonly #objects: string;
  readonly #trees: string;
  /** Digests of objects that were seen whole. */
  readonly #whole = new Set<string>();

  constructor(directory: string) {
    this.#objects = join(directory, 'objects');
    this.#trees = join(directory, 'trees');
  }

  /** The object file of a digest. */
  #objectPath(digest: string): string {
    return join(this.#objects, digest.slice(0, 2), digest);
  }

  /** Keeps the bytes of one content; gives back the same bytes as a file of the depot. */
  async keep(content: Content): Promise<Content> {
    const digest = await contentDigest(content);
    const path = this.#objectPath(digest);
    const present = await stat(path).catch(() => undefined);
    // Not synced: a torn object shows by its size when it is read, and is made again.
    if (present?.size !== content.size) await writeAtomic(path, content.chunks(), { sync: false });
    return fileContent(path, content.size, digest);
  }

  /** Keeps a tree with all its contents; returns its digest. */
  async save(tree: Tree): Promise<string> {
    const text = await dumpTree(tree);
    const contents: Content[] = [];
    for (const [, entry] of tree)
      if (entry.kind === 'file' && entry.content.size > 0) contents.push(entry.content);
    await inParallel(contents, 8, (content) => this.keep(content));
    const digest = sha256(text);
    await writeAtomic(join(this.#trees, digest), text);
    return digest;
  }

  /**
   * The tree of a digest.
   * @throws Failure `not-found` when it is not kept (any more).
   */
  async load(digest: string): Promise<Tree> {
    const text = await this.#text(digest);
    if (text === undefined)
      throw new Failure('not-found', `tree ${digest.slice(0, 12)} is not in the depot`, {
        hint: 'build again',
      });
    return parseTreeDump(text, (sha, size) => fileContent(this.#objectPath(sha), size, sha));
  }

  /** Whether a tree is kept whole: its text form, and every object with its right size. */
  async has(digest: string): Promise<boolean> {
    const text = await this.#text(digest);
    return text !== undefined && dumpedContents(text).every((content) => this.#holds(content));
  }

  /** Synchronous, because a build asks this of thousands of small files before it does anything else. */
  #holds({ sha256: digest, size }: DumpedContent): boolean {
    if (this.#whole.has(digest)) return true;
    const isWhole = statSync(this.#objectPath(digest), { throwIfNoEntry: false })?.size === size;
    if (isWhole) this.#whole.add(digest);
    return isWhole;
  }

  /** The text form of a tree; undefined when there is none, or a damaged one. */
  async #text(digest: string): Promise<string | undefined> {
    const text = await readTextIfPresent(join(this.#trees, digest));
    return text !== undefined && sha256(text) === digest ? text : undefined;
  }
}

/** Runs `work` on every item, at most `width` at a time; rejects with the first failure. */
async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      while (next < items.length) await work(items[next++]!);
    }),
  );
}
