import { Failure } from '../base/errors.ts';
import type { ByteReader } from './byte-reader.ts';

const frameMagic = 0xfd2fb528;
/** The sixteen magic numbers of skippable frames differ in their lowest four bits. */
const skippableMagic = 0x184d2a50;

/**
 * The bytes of the next zstd frame, and no byte more, piece by piece (RFC 8878 section 3.1). Nothing for a skippable frame.
 * Needed because node:zlib stops after the first frame, while a file of several frames is one content.
 * @throws Failure `corrupt` when there is no frame or it is cut off.
 */
export async function* nextZstdFrame(reader: ByteReader): AsyncIterable<Uint8Array> {
  const start = await reader.read(4);
  const magic = view(start).getUint32(0, true);
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
    let left = view(await reader.read(4)).getUint32(0, true);
    for (; left > 0; left -= Math.min(left, 65536)) await reader.read(Math.min(left, 65536));
    return;
  }
  if (magic !== frameMagic) throw damaged(reader);
  yield start;

  const descriptor = (await reader.read(1))[0]!;
  yield Uint8Array.of(descriptor);
  yield await reader.read(headerFieldsSize(descriptor));
  for (let last = false; !last; ) {
    const header = Uint8Array.from(await reader.read(3));
    const word = header[0]! | (header[1]! << 8) | (header[2]! << 16);
    last = (word & 1) === 1;
    const type = (word >> 1) & 3;
    if (type === 3) throw damaged(reader);
    const isRunLength = type === 1;
    yield header;
    yield await reader.read(isRunLength ? 1 : word >> 3);
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield await reader.read(4);
}

/** Size of window descriptor, dictionary id and content size, which follow the frame header descriptor. */
function headerFieldsSize(descriptor: number): number {
  const singleSegment = (descriptor >> 5) & 1;
  const dictionaryId = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [singleSegment, 2, 4, 8][descriptor >> 6]!;
  return 1 - singleSegment + dictionaryId + contentSize;
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const damaged = (reader: ByteReader) =>
  new Failure('corrupt', `${reader.name} is damaged: no zstd frame or block at byte ${reader.offset}`);
