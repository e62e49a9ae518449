import { createCipheriv, createSecretKey } from 'node:crypto';
import { type DigestInto, loadBlake2bInto } from '../../base/blake2b.ts';
import { release } from './block-codec.ts';
import { SnappyEncoder } from './snappy-encoder.ts';

const cipher = 'aes-256-gcm';
const nonceSize = 12;
const tagSize = 16;

/** More bytes than a block of 512 KiB can have when it is stored: what snappy adds at most, and the tag. */
const mostStored = 32 + 524288 + Math.ceil(524288 / 6) + tagSize;

/**
 * Makes one block after the other what the store keeps, bit for bit as rfs does: raw snappy, then AES-256-GCM under the BLAKE2b-256
 * of the plain bytes, with the start of that hash as nonce and the tag at the end (flist format, section 2.1). All buffers
 * are reused: what a method returns is there until the next block.
 */
export class BlockEncoder {
  readonly #digest: DigestInto;
  readonly #snappy = new SnappyEncoder();
  readonly #key = Buffer.alloc(32);
  readonly #id = Buffer.alloc(32);
  readonly #blob = Buffer.allocUnsafeSlow(mostStored);

  private constructor(digest: DigestInto) {
    this.#digest = digest;
  }

  static async create(): Promise<BlockEncoder> {
    return new BlockEncoder(await loadBlake2bInto());
  }

  /** Room for the plain bytes of the next block, 1 to 524288, to be filled before anything else is asked for. */
  plain(size: number): Buffer {
    return this.#snappy.input(size);
  }

  /** The key of the block whose bytes were filled in: 32 bytes. */
  key(plain: Uint8Array): Buffer {
    this.#digest(this.#key, plain);
    return this.#key;
  }

  /** The block as it is stored, after `key`, and the id that it is stored under: 32 bytes. */
  encode(): { id: Buffer; blob: Buffer } {
    // A key object, because Node tries bytes as one first, and that costs an error with its stack.
    const encryption = createCipheriv(cipher, createSecretKey(this.#key), this.#key.subarray(0, nonceSize));
    const sealed = encryption.update(this.#snappy.encode());
    encryption.final();
    const { length } = sealed;
    const blob = this.#blob.subarray(0, length + tagSize);
    blob.set(sealed);
    release(sealed);
    blob.set(encryption.getAuthTag(), length);
    this.#digest(this.#id, blob);
    return { id: this.#id, blob };
  }
}
