import { ByteReader } from '../archive/byte-reader.ts';
import type { SparseMap } from '../archive/tar-sparse.ts';
import type { Content } from './content.ts';

const zeros = new Uint8Array(1 << 20);

/** The content of a file with holes, whose pieces `data` has one after the other. Holes read as zeros. */
export function sparseContent(data: Content, { size, segments }: SparseMap): Content {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const reader = new ByteReader(data.chunks(), 'a sparse file');
    try {
      let at = 0;
      for (const segment of segments) {
        yield* hole(segment.offset - at);
        for (let left = segment.size; left > 0; ) {
          const piece = await reader.read(Math.min(left, zeros.length));
          left -= piece.length;
          yield piece;
        }
        at = segment.offset + segment.size;
      }
      yield* hole(size - at);
    } finally {
      await reader.close();
    }
  }
  async function read(): Promise<Uint8Array> {
    const whole: Uint8Array[] = [];
    for await (const chunk of chunks()) whole.push(chunk);
    return Buffer.concat(whole);
  }
  return { size, chunks, read };
}

function* hole(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length));
}
