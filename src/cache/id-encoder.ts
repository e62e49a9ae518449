import { encodeBlock } from '../flist/block/block-codec.ts';
import { loadSnappy } from '../flist/block/snappy-addon.ts';

/**
 * What gives the id of a plain block by encoding it as it is stored; undefined where the encoder is not, as in the booted node.
 * A block that was packed with another compressor than rfs has (flist format, section 2.3) gets another id by it.
 */
export async function idEncoder(): Promise<((plain: Uint8Array) => Promise<string>) | undefined> {
  try {
    await loadSnappy();
  } catch {
    return undefined;
  }
  return async (plain) => (await encodeBlock(plain)).ref.id;
}
