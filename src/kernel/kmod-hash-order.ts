import { compareBytes } from '../base/names.ts';

/**
 * Different keys in the order in which kmod's hash table of `buckets` (a power of two) gives them out: by bucket, in a
 * bucket by bytes. depmod writes `modules.symbols`, and modules that `modules.order` does not name, in this order
 * (kmod, shared/hash.c).
 */
export function kmodHashOrder(keys: Iterable<string>, buckets: number): string[] {
  return [...keys]
    .map((key) => ({ key, bucket: superFastHash(Buffer.from(key)) & (buckets - 1) }))
    .sort((a, b) => a.bucket - b.bucket || compareBytes(a.key, b.key))
    .map(({ key }) => key);
}

/** Paul Hsieh's SuperFastHash, seeded with the length, on 7-bit bytes. */
function superFastHash(bytes: Buffer): number {
  let hash = bytes.length;
  const rest = bytes.length & 3;
  const whole = bytes.length - rest;
  for (let at = 0; at < whole; at += 4) {
    hash = (hash + bytes.readUInt16LE(at)) >>> 0;
    hash = ((hash << 16) ^ ((bytes.readUInt16LE(at + 2) << 11) ^ hash)) >>> 0;
    hash = (hash + (hash >>> 11)) >>> 0;
  }
  if (rest === 3) {
    hash = (hash + bytes.readUInt16LE(whole)) >>> 0;
    hash = (hash ^ (hash << 16) ^ (bytes[whole + 2]! << 18)) >>> 0;
    hash = (hash + (hash >>> 11)) >>> 0;
  } else if (rest === 2) {
    hash = (hash + bytes.readUInt16LE(whole)) >>> 0;
    hash = (hash ^ (hash << 11)) >>> 0;
    hash = (hash + (hash >>> 17)) >>> 0;
  } else if (rest === 1) {
    hash = (hash + bytes[whole]!) >>> 0;
    hash = (hash ^ (hash << 10)) >>> 0;
    hash = (hash + (hash >>> 1)) >>> 0;
  }
  hash = (hash ^ (hash << 3)) >>> 0;
  hash = (hash + (hash >>> 5)) >>> 0;
  hash = (hash ^ (hash << 4)) >>> 0;
  hash = (hash + (hash >>> 17)) >>> 0;
  hash = (hash ^ (hash << 25)) >>> 0;
  return (hash + (hash >>> 6)) >>> 0;
}
