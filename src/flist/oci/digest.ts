import { createHash, type Hash } from 'node:crypto';
import { bounded } from '../../base/bounded.ts';
import { Failure } from '../../base/errors.ts';

/** `algorithm:hex` (OCI image spec, "Descriptors"); sha256 and sha512 are the registered algorithms. */
export type Digest = string;

const hexDigits: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** Whether a text is a digest of a known algorithm. */
export function isDigest(text: string): text is Digest {
  const [algorithm, hex, ...more] = text.split(':');
  const length = Object.hasOwn(hexDigits, algorithm!) ? hexDigits[algorithm!] : undefined;
  return hex !== undefined && more.length === 0 && hex.length === length && /^[0-9a-f]+$/.test(hex);
}

/** The parts of a digest that `isDigest`; both are safe as names of files and in addresses. */
export function splitDigest(digest: Digest): { algorithm: string; hex: string } {
  const [algorithm, hex] = digest.split(':') as [string, string];
  return { algorithm, hex };
}

/** The SHA-256 digest of bytes. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** What bytes have to be. */
export interface Expected {
  readonly digest: Digest;
  readonly size?: number;
}

/**
 * The bytes of a source as they pass, held against what they must be. Only who reads to the end knows that they are right.
 * @param name of the bytes, for messages
 * @throws Failure `corrupt` at the first byte too many, or at the end when size or digest are others.
 */
export async function* verified(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { digest, size }: Expected,
  name: string,
): AsyncGenerator<Uint8Array> {
  const hash = hashOf(digest);
  let found = 0;
  for await (const chunk of source) {
    found += chunk.length;
    if (size !== undefined && found > size)
      throw wrong(name, `has more than the ${size} bytes that it should`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && found !== size) throw wrong(name, `has ${found} bytes, expected ${size}`);
  const is = hash.digest('hex');
  if (is !== splitDigest(digest).hex)
    throw wrong(name, `has the digest ${splitDigest(digest).algorithm}:${is}, expected ${digest}`);
}

/**
 * All bytes of a source, held against what they must be.
 * @throws Failure as `verified`, and `hostile` when there are more than `limit`.
 */
export async function readVerified(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  expected: Expected,
  name: string,
  limit: number,
): Promise<Buffer> {
  return collect(verified(source, expected, name), name, limit);
}

/** All bytes of a source. @throws Failure `hostile` when there are more than `limit`. */
export async function collect(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  name: string,
  limit: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bounded(source, limit, name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function hashOf(digest: Digest): Hash {
  return createHash(splitDigest(digest).algorithm);
}

function wrong(name: string, what: string): Failure {
  return new Failure('corrupt', `${name} ${what}`, { hint: 'get the image again, or from another place' });
}
