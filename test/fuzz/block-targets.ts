import { createCipheriv } from 'node:crypto';
import { loadBlake2b } from '../../src/base/blake2b.ts';
import { Failure } from '../../src/base/errors.ts';
import { blockSize, decodeBlock, initBlockCodec } from '../../src/flist/block/block-codec.ts';
import { nativeSnappyDecode, type SnappyDecode, snappyDecode } from '../../src/flist/block/snappy.ts';
import { parseXml } from '../../src/store/s3/xml.ts';
import { RespReader } from '../../src/store/zdb/resp.ts';
import { piecesOf } from './pieces.ts';
import type { Target } from './target.ts';

/** The key of the block in the corpus, whose plain text is `hello` (flist format, section 2.2). */
const keyOfTheBlocks = '324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf';

/** A stored block under the id that it has now, so that only the cipher and what follows can find it wrong. */
export const blocks: Target = {
  name: 'stored blocks',
  corpus: 'blocks',
  async run(bytes) {
    await initBlockCodec();
    decodeBlock(bytes, { id: (await loadBlake2b())(bytes), key: keyOfTheBlocks });
  },
};

/** Somebody who can encrypt makes a block of any stream; it may be larger than it says, or not be what its key says. */
export const sealedBlocks: Target = {
  name: 'sealed blocks',
  corpus: 'snappy',
  async run(bytes) {
    await initBlockCodec();
    const blake2b = await loadBlake2b();
    const key = Buffer.alloc(32, 7);
    const cipher = createCipheriv('aes-256-gcm', key, key.subarray(0, 12));
    const blob = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    try {
      decodeBlock(blob, { id: blake2b(blob), key: key.toString('hex') });
    } catch (error) {
      if (error instanceof Failure) return;
      throw error;
    }
    throw new Error('it is taken for a block whose plain bytes have the digest 0707…');
  },
};

/** Both decoders, which have to say the same. */
export const snappyStreams: Target = {
  name: 'snappy streams',
  corpus: 'snappy',
  async run(bytes) {
    const native = (await nativeSnappyDecode())!;
    const [ours, theirs] = [snappyDecode, native].map((decode) => outcome(decode, bytes));
    if ((ours === undefined) !== (theirs === undefined))
      throw new Error(`${ours === undefined ? 'only the native decoder' : 'only our decoder'} takes it`);
    if (ours !== undefined && Buffer.compare(ours, theirs!) !== 0) throw new Error('the decoders differ');
  },
};

function outcome(decode: SnappyDecode, bytes: Buffer): Uint8Array | undefined {
  try {
    return decode(bytes, blockSize);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export const zdbReplies: Target = {
  name: 'replies of a 0-db',
  corpus: 'resp',
  run(bytes, random) {
    const reader = new RespReader({ bulk: 1 << 20, reply: 1 << 20, values: 1 << 12 });
    for (const piece of piecesOf(bytes, random)) for (const _ of reader.read(piece));
  },
};

export const s3Answers: Target = {
  name: 'answers of S3',
  corpus: 'xml',
  run: (bytes) => void parseXml(bytes.toString()),
};
