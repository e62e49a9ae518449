import { Failure } from '../../base/errors.ts';

/** The answer `-…` of a server: it understood a request and refuses it. */
export class RespError {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A value of RESP2: a simple string, an integer, a bulk string, nil, an error, or an array of values. */
export type RespValue = string | bigint | Uint8Array | null | RespError | readonly RespValue[];

/** How much a server may send for one request. */
export interface RespLimits {
  /** Most bytes of one bulk string. */
  readonly bulk: number;
  /** Most bytes of one whole reply as it is sent. */
  readonly reply: number;
  /** Most values in all arrays of one reply together. */
  readonly values: number;
}

/** Longest line: a simple string, an error, a number or a length. */
const lineLimit = 4096;
const depthLimit = 8;

const [carriageReturn, lineFeed] = [0x0d, 0x0a];
const crlf = Buffer.from('\r\n');

/** An array whose values are still arriving. */
interface OpenArray {
  readonly values: RespValue[];
  readonly length: number;
}

/**
 * Reads values of RESP2 (Redis serialization protocol specification, version 2) out of a stream that arrives in pieces of any
 * size. Memory is bounded by the limits whatever the stream announces.
 */
export class RespReader {
  readonly #limits: RespLimits;
  readonly #open: OpenArray[] = [];
  #finished: RespValue[] = [];
  /** The beginning of a line whose end has not arrived. */
  #line: Buffer = Buffer.alloc(0);
  #bulk: { readonly bytes: Buffer; filled: number } | undefined;
  /** What the reply that is being read has cost so far. */
  #bytes = 0;
  #values = 0;
  #broken: Failure | undefined;

  constructor(limits: RespLimits) {
    this.#limits = limits;
  }

  /**
   * The values that are whole with the next bytes of the stream.
   * @throws Failure `corrupt` for what is not RESP2 or beyond the limits, after the values before it; the stream is then over.
   */
  *read(chunk: Uint8Array): Generator<RespValue, void, void> {
    if (this.#broken) throw this.#broken;
    for (let at = 0; at < chunk.length; ) {
      try {
        const next = this.#bulk ? this.#fillBulk(chunk, at, this.#bulk) : this.#readLine(chunk, at);
        this.#spend(next - at);
        at = next;
        if (this.#finished.length > 0) this.#bytes = this.#values = 0;
      } catch (error) {
        this.#broken = error as Failure;
        throw error;
      }
      yield* this.#finished.splice(0);
    }
  }

  #readLine(chunk: Uint8Array, at: number): number {
    const feed = chunk.indexOf(lineFeed, at);
    const end = feed < 0 ? chunk.length : feed + 1;
    if (this.#line.length + end - at > lineLimit) throw malformed('a line is too long');
    const line = Buffer.concat([this.#line, chunk.subarray(at, end)]);
    if (feed < 0) {
      this.#line = line;
      return end;
    }
    this.#line = Buffer.alloc(0);
    if (line.indexOf(carriageReturn) !== line.length - 2) throw malformed('a line does not end with CR LF');
    this.#take(line.toString('latin1', 0, 1), line.toString('utf8', 1, line.length - 2));
    return end;
  }

  #take(type: string, rest: string): void {
    if (type === '$') this.#openBulk(length(rest, this.#limits.bulk));
    else if (type === '*') this.#openArray(length(rest, this.#limits.values));
    else if (type === '+') this.#complete(rest);
    else if (type === '-') this.#complete(new RespError(rest));
    else if (type === ':') this.#complete(integer(rest));
    else throw malformed(`nothing begins with ${JSON.stringify(type)}`);
  }

  #openBulk(size: number): void {
    if (size < 0) this.#complete(null);
    else this.#bulk = { bytes: Buffer.allocUnsafeSlow(size + crlf.length), filled: 0 };
  }

  #fillBulk(chunk: Uint8Array, at: number, bulk: { bytes: Buffer; filled: number }): number {
    const piece = chunk.subarray(at, at + bulk.bytes.length - bulk.filled);
    bulk.bytes.set(piece, bulk.filled);
    bulk.filled += piece.length;
    if (bulk.filled === bulk.bytes.length) {
      const size = bulk.bytes.length - crlf.length;
      if (!crlf.equals(bulk.bytes.subarray(size))) throw malformed('a bulk string is longer than it says');
      this.#bulk = undefined;
      this.#complete(bulk.bytes.subarray(0, size));
    }
    return at + piece.length;
  }

  #openArray(size: number): void {
    if (this.#open.length === depthLimit) throw malformed('its arrays are nested too deeply');
    this.#values += Math.max(size, 0);
    if (this.#values > this.#limits.values) throw malformed('it has too many values');
    if (size > 0) this.#open.push({ values: [], length: size });
    else this.#complete(size < 0 ? null : []);
  }

  #complete(value: RespValue): void {
    let whole = value;
    for (let array = this.#open.at(-1); array !== undefined; array = this.#open.at(-1)) {
      array.values.push(whole);
      if (array.values.length < array.length) return;
      whole = array.values;
      this.#open.pop();
    }
    this.#finished.push(whole);
  }

  #spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.reply) throw malformed('it is too long');
  }
}

function integer(text: string): bigint {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) throw malformed('a number is not readable');
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) throw malformed('a number has more than 64 bits');
  return value;
}

/** A length, or -1 for nil. */
function length(text: string, limit: number): number {
  if (text === '-1') return -1;
  if (!/^[0-9]{1,19}$/.test(text)) throw malformed('a length is not readable');
  const value = Number(text);
  if (value > limit) throw malformed(`it announces ${text}, more than the ${limit} allowed`);
  return value;
}

function malformed(why: string): Failure {
  return new Failure('corrupt', `the reply is malformed: ${why}`);
}

/** A request as the pieces to send: an array of bulk strings. Large arguments are not copied. */
export function encodeRequest(words: readonly (string | Uint8Array)[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let head = `*${words.length}\r\n`;
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word) : word;
    pieces.push(Buffer.from(`${head}$${bytes.length}\r\n`), bytes);
    head = '\r\n';
  }
  return [...pieces, crlf];
}
