import { Failure } from './errors.ts';

/** Orders two names by their bytes, as `encodeName` gives them: the order of every sorted output of this project. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      if (isLoneByte(a, i) || isLoneByte(b, i))
        return Buffer.compare(rawBytes(a.slice(i)), rawBytes(b.slice(i)));
      // UTF-16 puts surrogates (code points above U+FFFF) below U+E000..U+FFFF; UTF-8 does not.
      const xIsSurrogate = x >= 0xd800 && x <= 0xdfff;
      const yIsSurrogate = y >= 0xd800 && y <= 0xdfff;
      return xIsSurrogate === yIsSurrogate ? x - y : xIsSurrogate ? 1 : -1;
    }
  }
  return a.length - b.length;
}

/** Orders a part of some bytes and a part of others by their bytes, as `compareBytes` orders the names in them. */
export function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const [aLength, bLength] = [aEnd - aStart, bEnd - bStart];
  const common = Math.min(aLength, bLength);
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Whether a surrogate that stands for a byte is here, and not the second half of a character. */
function isLoneByte(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0xdc80 || unit > 0xdcff) return false;
  const before = at === 0 ? 0 : text.charCodeAt(at - 1);
  return before < 0xd800 || before > 0xdbff;
}

/**
 * The text of a file name's bytes. A byte that is no part of valid UTF-8 becomes the lone surrogate U+DC00 + byte, which no
 * valid text holds, so that `encodeName` gives back the very bytes (the "surrogateescape" of PEP 383).
 */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString();
  return text.includes('\ufffd') ? decodeSlowly(buffer) : text;
}

function decodeSlowly(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Length of the UTF-8 sequence that begins here; 0 when none does (RFC 3629, section 4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (bytes[at + 1]! < least || bytes[at + 1]! > most) return 0;
  for (let i = at + 2; i < at + length; i++) if ((bytes[i]! & 0xc0) !== 0x80) return 0;
  return length;
}

/**
 * The bytes of a file name; the inverse of `decodeName`.
 * @throws Failure `corrupt` for half a character that stands for no byte.
 */
export function encodeName(text: string): Buffer {
  if (!text.isWellFormed() && !text.replace(loneBytes, '').isWellFormed())
    throw new Failure('corrupt', `${JSON.stringify(text)} is no name: it holds half a character`, {
      hint: 'take the name from its bytes, with decodeName',
    });
  return rawBytes(text);
}

/** A path as `node:fs` takes it: bytes where it is not UTF-8. */
export function systemPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeName(path);
}

const loneBytes = /[\udc80-\udcff]+/gu;

function rawBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts: Buffer[] = [];
  let done = 0;
  for (const { 0: lone, index } of text.matchAll(loneBytes)) {
    const units = Array.from(lone, (unit) => unit.charCodeAt(0) & 0xff);
    parts.push(Buffer.from(text.slice(done, index)), Buffer.from(units));
    done = index + lone.length;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(done))]);
}

/** The candidate that a misspelt name most likely means (edit distance at most a third of its length), if any. */
export function closestName(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.floor(name.length / 3) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
