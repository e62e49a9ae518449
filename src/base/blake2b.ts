import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';

/** BLAKE2b, unkeyed, with a digest of 32 bytes (RFC 7693): the digest as 64 lower-case hex digits. */
export type Blake2b256 = (data: Uint8Array) => string;

/** The addon of sodium-native 5.1: bytes are a buffer, an offset and a length; 0 is success. */
interface SodiumAddon {
  crypto_generichash(
    ...outputInputKey: [ArrayBufferLike, number, number, ArrayBufferLike, number, number, ArrayBuffer, 0, 0]
  ): number;
}

const digestOfNothing = '0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8';

let loaded: Promise<Blake2b256> | undefined;

/** The faster of the two that is there. Loaded once. */
export function loadBlake2b(): Promise<Blake2b256> {
  loaded ??= nativeBlake2b().then((native) => native ?? wasmBlake2b());
  return loaded;
}

/** BLAKE2b-256 of `data` into 32 bytes that the caller has. */
export type DigestInto = (output: Buffer, data: Uint8Array) => void;

/** As `loadBlake2b`, without making a string. */
export async function loadBlake2bInto(): Promise<DigestInto> {
  const native = await nativeDigest();
  if (native !== undefined) return native;
  const blake2b = await loadBlake2b();
  return (output, data) => void output.write(blake2b(data), 'hex');
}

/** libsodium's BLAKE2b; undefined where the native addon is not there, as in the bundle of the booted node. */
export async function nativeBlake2b(): Promise<Blake2b256 | undefined> {
  const native = await nativeDigest();
  if (native === undefined) return undefined;
  const digest = Buffer.alloc(32);
  return (data) => {
    native(digest, data);
    return digest.toString('hex');
  };
}

async function nativeDigest(): Promise<DigestInto | undefined> {
  try {
    return addonDigest();
  } catch {
    return packageDigest();
  }
}

/**
 * The addon of the package sodium-native itself, which is there in 2 ms: the package takes 12, for it looks for the addon in many ways and
 * checks the parameters of 300 functions.
 */
function addonDigest(): DigestInto {
  const file = `sodium-native/prebuilds/${process.platform}-${process.arch}/sodium-native.node`;
  const { crypto_generichash: hash } = createRequire(import.meta.url)(file) as SodiumAddon;
  const noKey = new ArrayBuffer(0);
  const digest: DigestInto = ({ buffer, byteOffset, byteLength }, data) => {
    const failed = hash(
      buffer,
      byteOffset,
      byteLength,
      data.buffer,
      data.byteOffset,
      data.byteLength,
      noKey,
      0,
      0,
    );
    if (failed !== 0) throw new Error(`BLAKE2b of libsodium failed with ${failed}`);
  };
  const output = Buffer.alloc(32);
  digest(output, new Uint8Array());
  if (output.toString('hex') !== digestOfNothing) throw new Error('this addon hashes something else');
  return digest;
}

async function packageDigest(): Promise<DigestInto | undefined> {
  try {
    const { default: sodium } = await import('sodium-native');
    return (output, data) => sodium.crypto_generichash(output, data);
  } catch {
    return undefined;
  }
}

/** BLAKE2b in WebAssembly, at about half the speed of the native one. */
export async function wasmBlake2b(): Promise<Blake2b256> {
  const { createBLAKE2b } = await import('hash-wasm');
  const hash = await createBLAKE2b(256);
  return (data) => hash.init().update(data).digest('hex');
}
