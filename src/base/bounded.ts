import { Failure } from './errors.ts';
import { formatBytes } from './units.ts';

/**
 * The bytes of a source as they pass, up to a limit.
 * @param name what it is, for the message
 * @throws Failure `hostile` when there are more; nothing of the chunk that is too much is given.
 */
export async function* bounded(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit: number,
  name: string,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new Failure('hostile', `${name} is larger than ${formatBytes(limit)}`);
    yield chunk;
  }
}
