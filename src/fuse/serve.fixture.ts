/**
 * A process that serves a small filesystem on the device in its descriptor 3, and prints a line for each request: for tests.
 * Its only argument is a `FixtureOptions` in JSON.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { closeBacking, openBacking } from './backing.ts';
import type { NegotiatedSession, OptionalFeature } from './negotiate.ts';
import { OpenFiles } from './open-files.ts';
import type { Feature } from './protocol.ts';
import { type Attributes, type DirectoryEntry, noEntry, type OpenAnswer } from './reply.ts';
import { RequestLog } from './request-log.ts';
import { type Filesystem, later, serve } from './session.ts';

const { EINVAL, ENODATA, ENOENT, ENXIO } = constants.errno;
const device = 3;
/** Where a table of open files is. */
const tableDescriptor = 4;
/** Where a log of requests is, in place of that. */
const logDescriptor = 4;

export interface FixtureOptions {
  readonly wanted?: readonly OptionalFeature[];
  /** How the file `data` is opened; the kernel opens it by itself when left out. One answer for each time that the filesystem is asked. */
  readonly open?: readonly ('cached' | 'direct' | 'passthrough' | OpenAnswer)[];
  /** The file that `passthrough` reads. */
  readonly backing?: string;
  /** What the filesystem has beyond names and bytes. */
  readonly has?: readonly ('xattrs' | 'holes' | 'births' | 'interrupts')[];
  /** Reads are never answered. */
  readonly isSilent?: boolean;
  readonly keepsTable?: boolean;
  readonly keepsLog?: boolean;
  readonly without?: readonly Feature[];
  readonly takeOver?: NegotiatedSession;
}

/** What the process prints, one in a line. */
export type FixtureLine =
  | { readonly started: NegotiatedSession }
  | RequestLine
  | { readonly released: OpenAnswer }
  | { readonly error: string };

export interface RequestLine {
  /** An operation that has no name here is told by its number. */
  readonly request: string;
  /** Of a lookup. */
  readonly name?: string;
  /** Which request an interrupt is about. */
  readonly interrupted?: string;
}

export const dataSize = 1024 * 1024 + 100;
/** The byte of the file `data` at an offset. */
export const dataByte = (offset: number) => (offset * 7 + (offset >>> 8)) & 0xff;
const data = Buffer.from(Uint8Array.from({ length: dataSize }, (_, i) => dataByte(i)));

const names = ['data', 'link'];
const times = { atime: 1, mtime: 2, ctime: 3, mtimeNs: 123_456_789 };
const common = { ...times, uid: 0, gid: 0, rdev: 0, blksize: 4096, nlink: 1 };
const attributesOf = (node: number): Attributes | undefined =>
  [
    { ...common, ino: 1, size: 0, blocks: 0, mode: 0o040755, nlink: 2 },
    { ...common, ino: 2, size: dataSize, blocks: Math.ceil(dataSize / 512), mode: 0o100644 },
    { ...common, ino: 3, size: 4, blocks: 0, mode: 0o120777 },
  ][node - 1];

function print(line: FixtureLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

function filesystemOf({ open, backing, has = [], isSilent }: FixtureOptions): Filesystem {
  const answers = [...(open ?? [])];
  const opens = (): OpenAnswer => {
    const answer = answers.shift() ?? 'cached';
    if (typeof answer !== 'string') return answer;
    if (answer !== 'passthrough') return { mode: answer };
    const fd = openSync(backing!, 'r');
    try {
      return { mode: answer, backing: openBacking(device, fd) };
    } catch (error) {
      print({ error: String(error) });
      return { mode: 'cached' };
    } finally {
      closeSync(fd);
    }
  };
  return {
    lookup(_, name) {
      const node = names.indexOf(Buffer.from(name).toString()) + 2;
      return node === 1 ? noEntry : { node, attributes: attributesOf(node)! };
    },
    getattr: (node) => attributesOf(node) ?? ENOENT,
    readlink: (node) => (node === 3 ? Buffer.from('data') : EINVAL),
    read: (_, offset, size) => (isSilent ? later : [data.subarray(offset, offset + size)]),
    readdir(_, offset, add) {
      const entries: DirectoryEntry[] = names.map((name, i) => ({
        node: i + 2,
        attributes: attributesOf(i + 2)!,
        name: Buffer.from(name),
        next: i + 1,
      }));
      entries.slice(offset).every(add);
      return undefined;
    },
    statfs: () => ({ blocks: 1, bfree: 0, bavail: 0, files: 3, ffree: 0, bsize: 4096, namelen: 255 }),
    ...(open && {
      open: opens,
      release(_, answer) {
        if (answer.mode === 'passthrough') closeBacking(device, answer.backing);
        print({ released: answer });
      },
    }),
    ...(has.includes('xattrs') && {
      getxattr: (_, name) => (Buffer.from(name).toString() === 'user.a' ? Buffer.from('value') : ENODATA),
      listxattr: () => [Buffer.from('user.a')],
    }),
    ...(has.includes('holes') && {
      // All but the first and the last block of 4096 bytes is a hole.
      lseek(_, offset, wanted) {
        if (offset >= dataSize) return ENXIO;
        const isData = offset < 4096 || offset >= 1024 * 1024;
        if (isData === (wanted === 'data')) return { offset };
        if (wanted === 'data') return { offset: 1024 * 1024 };
        return { offset: offset < 4096 ? 4096 : dataSize };
      },
    }),
    ...(has.includes('births') && { statx: (node) => ({ ...attributesOf(node)!, btime: 1_600_000_000 }) }),
    ...(has.includes('interrupts') && { interrupt: () => {} }),
  };
}

if (process.argv[1] === import.meta.filename) {
  const options = JSON.parse(process.argv[2]!) as FixtureOptions;
  serve(device, filesystemOf(options), {
    ...(options.wanted && { wanted: options.wanted }),
    ...(options.takeOver && { takeOver: options.takeOver }),
    ...(options.without && { without: options.without }),
    ...(options.keepsLog && { requests: new RequestLog(logDescriptor, device) }),
    ...(options.keepsTable && { openFiles: new OpenFiles(tableDescriptor) }),
    givenUp: new Int32Array(new SharedArrayBuffer(4)),
    onStart: (started) => print({ started }),
    onRequest: ({ opcode }, request) =>
      print({
        request: request.kind === 'unsupported' ? `operation ${opcode}` : request.kind,
        ...(request.kind === 'lookup' && { name: Buffer.from(request.name).toString() }),
        ...(request.kind === 'interrupt' && { interrupted: `${request.unique}` }),
      }),
    onError: (error) => print({ error: String(error) }),
  });
}
