import { Failure } from '../../base/errors.ts';
import { loadSnappy } from './snappy-addon.ts';

/** The two low bits of an element's first byte. */
const literal = 0;
const copyNear = 1;
const copyFar = 2;

/**
 * Gives the plain bytes of a raw snappy stream.
 * @param limit most plain bytes that the stream may announce.
 * @throws Failure `corrupt` for every stream that is not whole and well formed.
 */
export type SnappyDecode = (input: Uint8Array, limit: number) => Uint8Array;

/** The decoder of npm `snappy`, 3 to 4 times as fast as ours; undefined where the addon is not there. */
export async function nativeSnappyDecode(): Promise<SnappyDecode | undefined> {
  try {
    const { uncompressSync } = await loadSnappy();
    return (input, limit) => {
      checkAnnounced(plainSize(input).size, limit);
      try {
        // Copied into memory of the runtime: memory of the addon is mapped and unmapped for each block, at 3 times the cost.
        return uncompressSync(input, { copyOutputData: true }) as Buffer;
      } catch (error) {
        throw malformed(error instanceof Error ? error.message : String(error));
      }
    };
  } catch {
    return undefined;
  }
}

/**
 * Decodes a raw snappy stream (snappy's format_description.txt): a little-endian varint with the plain length, then
 * literals and back references. Plain TypeScript, so that the booted node reads blocks without a native addon.
 * Parameters and errors are those of `SnappyDecode`.
 */
export function snappyDecode(input: Uint8Array, limit: number): Uint8Array {
  const { size, at: start } = plainSize(input);
  checkAnnounced(size, limit);
  const output = Buffer.allocUnsafeSlow(size);
  let at = start;
  let end = 0;
  while (at < input.length) {
    const tag = input[at++]!;
    if ((tag & 3) === literal) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const width = length - 60;
        if (at + width > input.length) throw malformed('a literal ends early');
        length = littleEndian(input, at, width) + 1;
        at += width;
      }
      if (length > input.length - at) throw malformed('a literal ends early');
      if (length > size - end) throw malformed('it holds more bytes than it announces');
      copyLiteral(input, at, output, end, length);
      at += length;
      end += length;
    } else {
      const width = (tag & 3) === copyNear ? 1 : (tag & 3) === copyFar ? 2 : 4;
      if (at + width > input.length) throw malformed('a back reference ends early');
      const low = littleEndian(input, at, width);
      const offset = width === 1 ? ((tag >>> 5) << 8) | low : low;
      const length = width === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
      at += width;
      if (offset === 0 || offset > end) throw malformed('a back reference points outside');
      if (length > size - end) throw malformed('it holds more bytes than it announces');
      copyBack(output, end, offset, length);
      end += length;
    }
  }
  if (end !== size) throw malformed(`it holds ${end} bytes and announces ${size}`);
  return output;
}

function checkAnnounced(size: number, limit: number): void {
  if (size > limit) throw malformed(`it announces ${size} bytes, more than the ${limit} allowed`);
}

function plainSize(input: Uint8Array): { size: number; at: number } {
  let size = 0;
  for (let at = 0; at < 5 && at < input.length; at++) {
    const byte = input[at]!;
    size += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) {
      if (size > 0xffffffff) break;
      return { size, at: at + 1 };
    }
  }
  throw malformed('its length is not readable');
}

function littleEndian(input: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + input[at + i]!;
  return value;
}

/** Up to so many bytes a loop is faster than a call into the runtime, also where nothing was compiled yet. */
const shortCopy = 16;

function copyLiteral(input: Uint8Array, from: number, output: Uint8Array, to: number, length: number): void {
  if (length > shortCopy) output.set(input.subarray(from, from + length), to);
  else for (let i = 0; i < length; i++) output[to + i] = input[from + i]!;
}

/** A back reference that overlaps what it writes repeats it, so it goes byte by byte. */
function copyBack(output: Uint8Array, end: number, offset: number, length: number): void {
  if (length > shortCopy && offset >= length) output.copyWithin(end, end - offset, end - offset + length);
  else for (let i = end; i < end + length; i++) output[i] = output[i - offset]!;
}

function malformed(why: string): Failure {
  return new Failure('corrupt', `the snappy stream is malformed: ${why}`);
}
