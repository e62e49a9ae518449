import { Failure } from '../base/errors.ts';
import { storedBlockLimit } from './store.ts';

/**
 * Reads an answer that is one block.
 * @throws Failure `corrupt` for more bytes than a block can have; the rest is not read.
 */
export async function readBlockBody(body: AsyncIterable<Uint8Array>, address: string): Promise<Uint8Array> {
  const bytes = await readAtMost(body, storedBlockLimit);
  if (bytes === undefined) throw new Failure('corrupt', `${address} answers with more than a block can be`);
  return bytes;
}

/** The whole of a body, or undefined when it has more bytes than `limit`. */
export async function readAtMost(
  body: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
