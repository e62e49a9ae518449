import { Buffer } from 'node:buffer';

/** BLAKE2b, unkeyed, with a digest of 32 bytes (RFC 7693): the digest as 64 lower-case hex digits. */
export type Blake2b256 = (data: Uint8Array) => string;

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
  try {
    const { default: sodium } = await import('sodium-native');
    return (output, data) => sodium.crypto_generichash(output, data);
  } catch {
    const blake2b = await loadBlake2b();
    return (output, data) => void output.write(blake2b(data), 'hex');
  }
}

/** libsodium's BLAKE2b; undefined where the native addon is not there, as in the bundle of the booted node. */
export async function nativeBlake2b(): Promise<Blake2b256 | undefined> {
  try {
    const { default: sodium } = await import('sodium-native');
    const digest = Buffer.alloc(32);
    return (data) => {
      sodium.crypto_generichash(digest, data);
      return digest.toString('hex');
    };
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
