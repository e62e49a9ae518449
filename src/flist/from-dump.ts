import { describeError, errnoOf, Failure } from '../base/errors.ts';
import { parentOf } from '../tree/tree.ts';
import type { BlockRef } from './block/block-codec.ts';
import { DumpFields } from './dump-fields.ts';
import { type Inode, isKind, makedev, modeOf, usualSize } from './manifest/inode.ts';
import type { Route } from './manifest/manifest.ts';
import { ManifestWriter } from './manifest/manifest-writer.ts';
import type { PrefetchRange } from './manifest/prefetch-list.ts';

/** What a manifest got. */
export interface DumpCounts {
  readonly inodes: number;
  readonly blocks: number;
}

/**
 * Writes the manifest of a text form (`dumpLines`), reading it line by line. What `dumpLines` gave comes back byte for byte
 * as `writeManifest` writes it.
 * @param name what errors call the text
 * @param path of the `.fl` file; the former one stays when this fails
 * @throws Failure `corrupt` that names the line, `failed` when it cannot be read or written
 */
export async function writeDump(
  lines: AsyncIterable<string>,
  name: string,
  path: string,
): Promise<DumpCounts> {
  const writer = await ManifestWriter.create(path);
  const dump = new DumpReader(writer);
  let number = 0;
  try {
    for await (const line of lines) {
      number++;
      dump.take(line);
    }
    return await dump.finish();
  } catch (error) {
    await writer.abandon();
    if (error instanceof Failure && error.kind === 'failed') throw error;
    if (errnoOf(error) !== undefined) throw new Failure('failed', `cannot read ${name}`, { cause: error });
    throw new Failure('corrupt', `line ${number} of ${name} makes no manifest`, {
      cause: describeError(error),
      hint: 'a dump is what rfs dump prints; its lines are described in docs/manifests.md',
    });
  }
}

/** Takes the lines of a dump and gives the writer an inode when all of its lines are there. */
class DumpReader {
  readonly #writer: ManifestWriter;
  readonly #tags = new Map<string, string>();
  readonly #routes: Route[] = [];
  readonly #prefetch: (Omit<PrefetchRange, 'ino'> & { readonly path: string })[] = [];
  /** The inode numbers of files that are to be fetched ahead, by path; undefined of those that have not come. */
  readonly #prefetched = new Map<string, number | undefined>();
  /** The directories from the root to the latest inode. */
  readonly #directories: { readonly path: string; readonly ino: number }[] = [];
  /** The inode numbers of the first names of hard-linked files, by path. */
  readonly #firstNames = new Map<string, number>();
  #isBegun = false;
  #inodes = 0;
  #blocks = 0;
  #latest: { readonly inode: Inode; readonly refs: BlockRef[] } | undefined;

  constructor(writer: ManifestWriter) {
    this.#writer = writer;
  }

  take(line: string): void {
    const fields = new DumpFields(line);
    if (!this.#isBegun) this.#begin(fields);
    else if (fields.has('path')) this.#takeInode(fields);
    else if (fields.has('id')) this.#takeBlock(fields);
    else if (fields.has('prefetch')) this.#takePrefetch(fields);
    else if (fields.has('tag')) this.#tags.set(fields.text('tag'), fields.text('value'));
    else this.#takeRoute(fields);
    fields.end();
  }

  async finish(): Promise<DumpCounts> {
    if (!this.#isBegun) throw new Error('it is empty');
    this.#write();
    const prefetch = this.#prefetch.map(({ path, ...blocks }) => ({
      ino: this.#prefetchedIno(path),
      ...blocks,
    }));
    await this.#writer.finish({ tags: this.#tags, routes: this.#routes, prefetch });
    return { inodes: this.#inodes, blocks: this.#blocks };
  }

  #begin(fields: DumpFields): void {
    if (fields.number('flist') !== 1) throw new Error('it is a dump of another version');
    this.#isBegun = true;
  }

  #takeRoute(fields: DumpFields): void {
    const [url, start, end] = [fields.text('route'), fields.number('start'), fields.number('end')];
    this.#routes.push({ start, end, url });
  }

  #takePrefetch(fields: DumpFields): void {
    const path = fields.text('prefetch');
    this.#prefetch.push({ path, first: fields.number('first'), last: fields.number('last') });
    this.#prefetched.set(path, undefined);
  }

  #prefetchedIno(path: string): number {
    const ino = this.#prefetched.get(path);
    if (ino === undefined)
      throw new Error(`${JSON.stringify(path)}, which is to be fetched ahead, does not come after that`);
    return ino;
  }

  #takeBlock(fields: DumpFields): void {
    if (this.#latest === undefined) throw new Error('a block comes before its file');
    this.#blocks++;
    this.#latest.refs.push({ id: fields.text('id'), key: fields.text('key') });
  }

  #takeInode(fields: DumpFields): void {
    this.#write();
    const path = fields.text('path');
    const ino = ++this.#inodes;
    const kind = fields.text('kind');
    if (!isKind(kind)) throw new Error(`${JSON.stringify(kind)} is no kind of entry`);
    const target = fields.textIfAny('target');
    const mtime = fields.number('mtime');
    const mtimeNs = fields.numberIfAny('ns');
    const link = this.#firstName(fields.textIfAny('link'), path, ino);
    const xattrs = fields.bytesByNameIfAny('xattrs');
    const device = fields.pairIfAny('device');
    const inode: Inode = {
      ino,
      parent: this.#enter(path),
      name: path === '' ? '/' : path.slice(path.lastIndexOf('/') + 1),
      size: kind === 'file' ? fields.number('size') : (fields.numberIfAny('size') ?? usualSize(kind, target)),
      uid: fields.number('uid'),
      gid: fields.number('gid'),
      mode: modeOf(kind, fields.octal('mode')),
      rdev: fields.numberIfAny('rdev') ?? (device === undefined ? 0 : makedev(...device)),
      ctime: fields.numberIfAny('ctime') ?? mtime,
      mtime,
      ...(mtimeNs !== undefined && { mtimeNs }),
      ...(target !== undefined && { target }),
      ...(link !== undefined && { link }),
      ...(xattrs !== undefined && { xattrs }),
    };
    if (this.#prefetched.has(path)) this.#prefetched.set(path, ino);
    if (kind === 'directory') this.#directories.push({ path, ino });
    this.#latest = { inode, refs: [] };
  }

  /** Goes to the directory of a path and returns its inode number; 0 for the root, which has none. */
  #enter(path: string): number {
    const directory = parentOf(path);
    if (directory === undefined) return 0;
    while (this.#directories.length > 0 && this.#directories.at(-1)!.path !== directory)
      this.#directories.pop();
    const parent = this.#directories.at(-1);
    if (parent === undefined)
      throw new Error(`the directory of ${JSON.stringify(path)} does not come before it`);
    return parent.ino;
  }

  /** The inode of a hard-linked file's first name; undefined for that one itself and for files with one name. */
  #firstName(link: string | undefined, path: string, ino: number): number | undefined {
    if (link === path) this.#firstNames.set(path, ino);
    if (link === undefined || link === path) return undefined;
    const first = this.#firstNames.get(link);
    if (first === undefined)
      throw new Error(`${JSON.stringify(link)}, to which it is linked, does not come before it`);
    return first;
  }

  #write(): void {
    if (this.#latest !== undefined) this.#writer.add(this.#latest.inode, this.#latest.refs);
    this.#latest = undefined;
  }
}
