import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareBytes } from '../base/names.ts';
import { openRegularFile, type RegularFile } from './regular-file.ts';
import { manifestName } from './request-path.ts';

/** A manifest as the list shows it. */
export interface ManifestEntry {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  /** When it was written, as ISO 8601 in UTC. */
  readonly mtime: string;
}

/** The manifests of a directory: its regular files `NAME.fl`, looked at anew each time, each hashed once. */
export class ManifestShelf {
  readonly #directory: string;
  /** By name: the digest, and the file that it is of. */
  readonly #digests = new Map<string, { readonly file: string; readonly sha256: Promise<string> }>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The names of what may be manifests, in byte order. */
  async names(): Promise<string[]> {
    return (await readdir(this.#directory)).filter((name) => manifestName.test(name)).sort(compareBytes);
  }

  /** Every manifest, by name in byte order. */
  async list(): Promise<ManifestEntry[]> {
    const names = await this.names();
    this.#forgetOthers(names);
    const entries: ManifestEntry[] = [];
    for (const name of names) {
      const opened = await this.open(name);
      if (!opened) continue;
      const { file, sha256 } = opened;
      await file.handle.close();
      const mtime = new Date(Number(file.mtimeNs / 1_000_000n)).toISOString();
      entries.push({ name, size: file.size, sha256, mtime });
    }
    return entries;
  }

  /** An open manifest and the SHA-256 of the very file that is open; the caller closes it. Undefined when there is none. */
  async open(name: string): Promise<{ file: RegularFile; sha256: string } | undefined> {
    const file = await openRegularFile(join(this.#directory, name));
    if (!file) return undefined;
    try {
      return { file, sha256: await this.#digest(name, file) };
    } catch (error) {
      await file.handle.close();
      throw error;
    }
  }

  #digest(name: string, file: RegularFile): Promise<string> {
    const identity = `${file.inode} ${file.size} ${file.mtimeNs}`;
    const known = this.#digests.get(name);
    if (known?.file === identity) return known.sha256;
    const sha256 = hashFile(file);
    this.#digests.set(name, { file: identity, sha256 });
    sha256.catch(() => this.#digests.delete(name));
    return sha256;
  }

  #forgetOthers(names: readonly string[]): void {
    const present = new Set(names);
    for (const name of this.#digests.keys()) if (!present.has(name)) this.#digests.delete(name);
  }
}

async function hashFile({ handle }: RegularFile): Promise<string> {
  const hash = createHash('sha256');
  const stream = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
