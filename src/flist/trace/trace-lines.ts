import { describeError, Failure } from '../../base/errors.ts';
import { DumpFields, textLine } from '../dump-fields.ts';

/** The first line of what one mount recorded; a trace file may hold that of several, one behind the other. */
export interface TraceHead {
  readonly trace: 1;
  /** ISO 8601, to the millisecond: when the flist was mounted. Who takes over a mount goes on with its time. */
  readonly mounted: string;
}

/** Blocks of a file that were read for the first time, all of them at one time. */
export interface TraceTouch {
  /** Milliseconds since the mount. */
  readonly ms: number;
  /** As in a `Tree`: no leading `/`. */
  readonly path: string;
  /** Indexes of blocks in the file, from 0; both were read. */
  readonly first: number;
  readonly last: number;
  /** Plain bytes that the file has in these blocks. */
  readonly bytes: number;
}

/** The last line of a trace that has as many bytes as it may. */
export interface TraceEnd {
  readonly ms: number;
  readonly end: 'full';
}

export type TraceRecord = TraceHead | TraceTouch | TraceEnd;

/** A line of a trace, in the form of `rfs dump`: JSON with its fields in the order of the types above. */
export function traceLine(record: TraceRecord): string {
  return `${textLine(record)}\n`;
}

/** More than any line of a trace has: the longest path, each of its bytes as an escape, and the numbers. */
const longestLine = 32 * 1024;

/**
 * The records of a trace file. A last line without its end, which a crash may leave, is passed over.
 * @param name what errors call it
 * @throws Failure `corrupt` that names the line
 */
export async function* readTrace(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<TraceRecord> {
  let number = 0;
  for await (const line of wholeLines(chunks)) {
    number++;
    try {
      if (line === undefined) throw new Error(`it is longer than ${longestLine} bytes`);
      const record = parse(new DumpFields(line));
      if (number === 1 && !('trace' in record)) throw new Error('it does not begin as a trace does');
      yield record;
    } catch (error) {
      throw new Failure('corrupt', `line ${number} of ${name} is not of a trace`, {
        cause: describeError(error),
        hint: 'a trace is what rfs mount --trace writes; its lines are described in docs/mounting.md',
      });
    }
  }
}

/** Lines without their end; undefined for one that is too long. */
async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string | undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      yield end - start > longestLine ? undefined : bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = Buffer.from(bytes.subarray(start));
    if (rest.length > longestLine) yield undefined;
  }
}

function parse(fields: DumpFields): TraceRecord {
  const record = fields.has('trace') ? headOf(fields) : fields.has('end') ? endOf(fields) : touchOf(fields);
  fields.end();
  return record;
}

function headOf(fields: DumpFields): TraceHead {
  if (fields.number('trace') !== 1) throw new Error('it is a trace of another version');
  return { trace: 1, mounted: fields.text('mounted') };
}

function endOf(fields: DumpFields): TraceEnd {
  if (fields.text('end') !== 'full') throw new Error('"end" is not "full"');
  return { ms: natural(fields, 'ms'), end: 'full' };
}

function touchOf(fields: DumpFields): TraceTouch {
  const [ms, path] = [natural(fields, 'ms'), fields.text('path')];
  const [first, last] = [natural(fields, 'first'), natural(fields, 'last')];
  if (first > last) throw new Error('"first" is larger than "last"');
  return { ms, path, first, last, bytes: natural(fields, 'bytes') };
}

function natural(fields: DumpFields, name: string): number {
  const value = fields.number(name);
  if (value < 0) throw new Error(`"${name}" is negative`);
  return value;
}
