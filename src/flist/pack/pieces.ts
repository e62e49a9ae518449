import { blocksOf, type Content } from '../../tree/content.ts';
import { blockSize } from '../block/block-codec.ts';
import type { BytesPiece, Piece } from './job.ts';

/** The pieces of a content that threads read by themselves; undefined when only the main thread can. */
export function filePieces({ size, file, state, slice }: Content, most: number): Iterable<Piece> | undefined {
  const source = slice ?? (file === undefined ? undefined : { file, offset: 0 });
  if (source === undefined) return undefined;
  const whole = slice === undefined ? { whole: { size, state } } : {};
  return (function* () {
    for (let start = 0; start < size; start += most) {
      const offset = source.offset + start;
      yield { file: source.file, offset, size: Math.min(most, size - start), ...whole };
    }
  })();
}

/** The blocks of a content that is read here, each as a piece with memory of its own, which goes to the thread. */
export async function* memoryPieces(content: Content): AsyncGenerator<BytesPiece> {
  for await (const bytes of blocksOf(content, blockSize))
    yield { bytes: Uint8Array.from(bytes), size: bytes.length };
}
