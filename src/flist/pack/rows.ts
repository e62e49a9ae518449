import { copyFile, open, rename, rm, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { syncDirectory } from '../../base/files.ts';
import type { BlockRef } from '../block/block-codec.ts';
import type { Inode } from '../manifest/inode.ts';
import type { ManifestSettings } from '../manifest/manifest.ts';
import { ManifestWriter } from '../manifest/manifest-writer.ts';
import { unfinishedManifest } from '../unfinished-manifests.ts';
import { CarriedPrefetch } from './carried-prefetch.ts';
import type { Previous } from './previous.ts';
import { noteSource, type SourceRoot } from './source-root.ts';

/** A manifest of an earlier pack, and where it lies. */
export interface PreviousFile {
  readonly path: string;
  readonly previous: Previous;
}

/** What the file of a manifest says of its pack, beside the manifest. */
export interface PackOrigin {
  readonly began: Date;
  /** The directory that was packed. */
  readonly root: SourceRoot | undefined;
}

/**
 * The rows of the manifest that is being packed. As long as they are those of the previous one nothing is written: when all
 * are, that file is published again; and at the first other one, those before it are taken from there.
 */
export class PackRows {
  readonly #path: string;
  readonly #before: PreviousFile | undefined;
  readonly #prefetch: CarriedPrefetch | undefined;
  #writer: ManifestWriter | undefined;
  /** How many rows are those of the previous manifest, from the first. */
  #same = 0;

  constructor(path: string, before: PreviousFile | undefined) {
    this.#path = path;
    this.#before = before;
    this.#prefetch = before && new CarriedPrefetch(before.previous.manifest.columns);
  }

  /**
   * Takes the next row.
   * @param unchanged the row of the previous manifest whose blocks this one has, where that is known
   */
  add(inode: Inode, refs: readonly BlockRef[] | undefined, unchanged?: number): Promise<void> | undefined {
    const { previous } = this.#before ?? {};
    this.#prefetch?.take(inode);
    const write = (writer: ManifestWriter) => writer.add(inode, refs ?? previous!.rowAt(unchanged!).refs);
    if (this.#writer !== undefined) write(this.#writer);
    else if (previous?.isRow(this.#same, inode) && this.#hasRefs(refs, unchanged)) this.#same++;
    else return this.#begin().then(write);
    return undefined;
  }

  #hasRefs(refs: readonly BlockRef[] | undefined, unchanged: number | undefined): boolean {
    if (refs === undefined) return unchanged === this.#same;
    return isDeepStrictEqual(refs, this.#before!.previous.rowAt(this.#same).refs);
  }

  async #begin(): Promise<ManifestWriter> {
    this.#writer = await ManifestWriter.create(this.#path);
    for (let row = 0; row < this.#same; row++) {
      const { inode, refs } = this.#before!.previous.rowAt(row);
      this.#writer.add(inode, refs);
    }
    return this.#writer;
  }

  /**
   * Publishes the manifest, with what the previous one has to fetch ahead.
   * @param origin what its file is to say of the pack (`Previous`); undefined when a later pack is not to rely on this one
   * @returns whether it is the previous one, byte for byte
   */
  async finish(settings: ManifestSettings, origin: PackOrigin | undefined): Promise<boolean> {
    const { manifest } = this.#before?.previous ?? {};
    const isSame =
      this.#writer === undefined &&
      manifest?.inodes.length === this.#same &&
      isDeepStrictEqual(manifest.tags, settings.tags) &&
      isDeepStrictEqual(manifest.routes, settings.routes);
    if (isSame) await republish(this.#before!.path, this.#path, origin);
    else {
      const writer = this.#writer ?? (await this.#begin());
      await writer.finish({ ...settings, prefetch: this.#prefetch?.ranges() ?? [] });
      await noteOrigin(this.#path, origin);
    }
    return isSame;
  }

  async abandon(): Promise<void> {
    await this.#writer?.abandon();
  }
}

async function noteOrigin(path: string, origin: PackOrigin | undefined): Promise<void> {
  if (origin === undefined) return;
  if (origin.root !== undefined) await noteSource(path, origin.root.identity);
  await utimes(path, origin.began, origin.began);
}

/** A new file, also where the path stays: it has to be younger than the time that it bears. */
async function republish(from: string, to: string, origin: PackOrigin | undefined): Promise<void> {
  const temporary = await unfinishedManifest(to);
  try {
    await copyFile(from, temporary);
    await noteOrigin(temporary, origin);
    const file = await open(temporary, 'r+');
    try {
      await file.chmod(0o644);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(to));
}
