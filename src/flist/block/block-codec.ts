import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { type Blake2b256, loadBlake2b } from '../../base/blake2b.ts';
import { Failure } from '../../base/errors.ts';
import { nativeSnappyDecode, type SnappyDecode, snappyDecode } from './snappy.ts';
import { loadSnappy } from './snappy-addon.ts';

/** Plain bytes of every block of a file but its last one. The format fixes it; no file says it. */
export const blockSize = 524288;

/** How a manifest names a block: 64 lower-case hex digits each. */
export interface BlockRef {
  /** BLAKE2b-256 of the stored bytes: the name in a store. */
  readonly id: string;
  /** BLAKE2b-256 of the plain bytes: the decryption key, and the proof that they are the right ones. */
  readonly key: string;
}

const cipher = 'aes-256-gcm';
const nonceSize = 12;
const tagSize = 16;

let blake2b: Blake2b256 | undefined;
let uncompress: SnappyDecode = snappyDecode;
let nativeDecode: ReturnType<typeof nativeSnappyDecode> | undefined;

/**
 * Loads the hash function, and the native decoder where there is one. To be awaited once before `blockKey` and `decodeBlock`;
 * `encodeBlock` does it by itself.
 */
export async function initBlockCodec(): Promise<void> {
  nativeDecode ??= nativeSnappyDecode();
  createSecretKey(Buffer.alloc(1)); // node:crypto is loaded now, and not for the first block
  uncompress = (await nativeDecode) ?? snappyDecode;
  await initBlockHash();
}

/** The part of `initBlockCodec` that is enough for `blockKey`. */
export async function initBlockHash(): Promise<void> {
  blake2b ??= await loadBlake2b();
}

function hash(data: Uint8Array): string {
  if (blake2b === undefined) throw new Error('the block codec is used before initBlockCodec()');
  return blake2b(data);
}

/** The key of a plain block: its BLAKE2b-256. */
export function blockKey(plain: Uint8Array): string {
  return hash(plain);
}

/**
 * A plain block as the store keeps it, bit for bit as rfs does: raw snappy, then AES-256-GCM under the hash of the plain
 * bytes, with the start of that hash as nonce and the tag at the end (flist format, section 2.1).
 * @param key the key of `plain`, where the caller has it already.
 */
export async function encodeBlock(
  plain: Uint8Array,
  key?: string,
): Promise<{ ref: BlockRef; blob: Uint8Array }> {
  await initBlockCodec();
  const usedKey = key ?? hash(plain);
  // Loaded here and not above: only who writes blocks needs the native addon.
  const { compress } = await loadSnappy();
  const compressed = await compress(plain);
  const keyBytes = Buffer.from(usedKey, 'hex');
  const encryption = createCipheriv(cipher, keyBytes, keyBytes.subarray(0, nonceSize));
  const blob = Buffer.concat([encryption.update(compressed), encryption.final(), encryption.getAuthTag()]);
  return { ref: { id: hash(blob), key: usedKey }, blob };
}

/**
 * The plain bytes of a stored block, checked at every step: the id of the stored bytes, the tag of the cipher, the
 * compressed stream, and the hash of the result.
 * @param plainSize the size the block must have; any size up to `blockSize` when left out.
 * @throws Failure `corrupt` when a check fails.
 */
export function decodeBlock(blob: Uint8Array, ref: BlockRef, plainSize?: number): Uint8Array {
  if (hash(blob) !== ref.id) throw corrupt(ref, 'the stored bytes do not have the digest they are named by');
  return decodePlain(blob, ref, plainSize);
}

/** As `decodeBlock`, but for the id: that the plain bytes are right is proved by their own hash, in less time. */
export function decodePlain(blob: Uint8Array, ref: BlockRef, plainSize?: number): Uint8Array {
  const compressed = decrypt(blob, ref);
  const plain = decompress(compressed, ref, plainSize ?? blockSize);
  release(compressed);
  if (plainSize !== undefined && plain.length !== plainSize)
    throw corrupt(ref, `it holds ${plain.length} bytes, expected ${plainSize}`);
  if (hash(plain) !== ref.key) throw corrupt(ref, 'the plain bytes do not have the digest that is their key');
  return plain;
}

/**
 * Gives the memory of bytes back at once, which then have none. The garbage collector lets hundreds of megabytes of blocks gather
 * first, and memory that is used again soon costs less than fresh memory.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

function decrypt(blob: Uint8Array, ref: BlockRef): Buffer {
  const end = blob.length - tagSize;
  if (end < 0) throw corrupt(ref, `${blob.length} bytes are too few for an encrypted block`);
  const key = Buffer.from(ref.key, 'hex');
  // From bytes the cipher takes 8 microseconds longer to make than from a key.
  const decryption = createDecipheriv(cipher, createSecretKey(key), key.subarray(0, nonceSize), {
    authTagLength: tagSize,
  });
  decryption.setAuthTag(blob.subarray(end));
  const compressed = decryption.update(blob.subarray(0, end));
  try {
    decryption.final();
  } catch {
    throw corrupt(ref, 'it does not decrypt with the key of the manifest');
  }
  return compressed;
}

function decompress(compressed: Uint8Array, ref: BlockRef, limit: number): Uint8Array {
  try {
    return uncompress(compressed, limit);
  } catch (error) {
    throw corrupt(ref, error);
  }
}

function corrupt(ref: BlockRef, why: unknown): Failure {
  return new Failure('corrupt', `block ${ref.id} is damaged`, {
    cause: why,
    hint: 'fetch it from another store, or pack the files again',
  });
}
