import type { Random } from './random.ts';

/** Changes some bytes of an input, or its length. `others` is the corpus, for pieces of something else. */
type Mutation = (bytes: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

/** Numbers at which programs go wrong. */
const edges = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const words = ['-1', '0', '00', '4294967296', '9007199254740993', '18446744073709551616', '1e999', 'null'];

const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'undefined'];

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length);
    bytes[at]! ^= 1 << random.below(8);
    return bytes;
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.pick([0, 1, 0x2e, 0x2f, 0x7f, 0x80, 0xff, random.below(256)]);
    return bytes;
  },
  function setInteger(bytes, random) {
    const encoded = Buffer.alloc(8);
    const width = random.pick([2, 4, 8]);
    const isLittle = random.below(2) === 0;
    if (isLittle) encoded.writeBigUInt64LE(random.pick(edges));
    else encoded.writeBigUInt64BE(random.pick(edges));
    const part = isLittle ? encoded.subarray(0, width) : encoded.subarray(8 - width);
    part.copy(bytes, random.below(bytes.length));
    return bytes;
  },
  /** Puts another number in the place of one in digits: of a tar header, a RESP length, JSON. */
  function setDigits(bytes, random) {
    const from = random.below(bytes.length);
    const start = bytes.findIndex((byte, at) => at >= from && isDigit(byte));
    if (start < 0) return bytes;
    let end = start + 1;
    while (end < bytes.length && isDigit(bytes[end]!)) end++;
    return replaced(bytes, start, end, Buffer.from(random.pick(words)));
  },
  /** Puts a word that means something to JavaScript in the place of another. */
  function setWord(bytes, random) {
    const from = random.below(bytes.length);
    const isLetter = (byte: number) => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
    const start = bytes.findIndex((byte, at) => at >= from && isLetter(byte));
    if (start < 0) return bytes;
    let end = start + 1;
    while (end < bytes.length && (isLetter(bytes[end]!) || isDigit(bytes[end]!))) end++;
    return replaced(bytes, start, end, Buffer.from(random.pick(names)));
  },
  function cutOff(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
  function leaveOut(bytes, random) {
    const at = random.below(bytes.length);
    return replaced(bytes, at, at + 1 + random.small(bytes.length - at), Buffer.alloc(0));
  },
  function repeat(bytes, random) {
    const at = random.below(bytes.length);
    const piece = bytes.subarray(at, at + 1 + random.small(bytes.length - at));
    const times = 1 + random.small(Math.max(1, Math.min(64, 65536 / piece.length)));
    return replaced(bytes, at, at, Buffer.concat(Array(times).fill(piece)));
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length + 1);
    return replaced(bytes, at, at, someBytes(random, 1 + random.small(64)));
  },
  function overwrite(bytes, random) {
    someBytes(random, 1 + random.small(64)).copy(bytes, random.below(bytes.length));
    return bytes;
  },
  /** Copies a piece of this input or another one over this one. */
  function splice(bytes, random, others) {
    const other = random.pick(others);
    const from = random.below(other.length);
    const piece = other.subarray(from, from + 1 + random.small(other.length - from));
    const at = random.below(bytes.length);
    return replaced(bytes, at, random.below(2) === 0 ? at : at + piece.length, Buffer.from(piece));
  },
];

/** An input of the corpus with one to eight random changes. */
export function mutated(corpus: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = Buffer.from(random.pick(corpus));
  for (let left = 1 + random.small(8); left > 0; left--)
    if (bytes.length > 0) bytes = random.pick(mutations)(bytes, random, corpus);
  return bytes;
}

function replaced(bytes: Buffer, start: number, end: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, start), by, bytes.subarray(end)]);
}

function someBytes(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.below(256)));
}
