import { Failure } from '../../base/errors.ts';
import { DirectReader } from '../../store/dir/direct-reader.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { covers } from '../../store/route.ts';
import { type BlockRef, decodePlain, release } from '../block/block-codec.ts';

/** Gives the plain bytes of the block at a place of the manifest, checked. What it gives may be overwritten by the next call. */
export interface BlockSupply {
  plain(place: number, ref: BlockRef, plainSize: number): Uint8Array | Promise<Uint8Array>;
}

/** Reads and decodes the blocks of local directory stores. */
export class DirectorySupply implements BlockSupply {
  readonly #readers: readonly { readonly directory: LocalDirectory; readonly reader: DirectReader }[];
  #last: Uint8Array | undefined;
  /** Stored bytes of the block that was given last. */
  storedSize = 0;

  constructor(directories: readonly LocalDirectory[]) {
    this.#readers = directories.map((directory) => ({ directory, reader: new DirectReader(directory.root) }));
  }

  plain(_place: number, ref: BlockRef, plainSize: number): Uint8Array {
    const found = this.#readers.find(({ directory }) => covers(directory, ref.id));
    if (found === undefined)
      throw new Failure('not-found', `no store is for block ${ref.id}`, {
        hint: 'name the store that has it, as [xx-yy=]URL',
      });
    if (this.#last !== undefined) release(this.#last);
    const blob = found.reader.read(ref.id);
    this.storedSize = blob.length;
    this.#last = decodePlain(blob, ref, plainSize);
    return this.#last;
  }
}
