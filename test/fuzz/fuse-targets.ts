import { constants } from 'node:os';
import { OpenFiles } from '../../src/fuse/open-files.ts';
import { noEntry } from '../../src/fuse/reply.ts';
import { parseHeader, parseRequest, type RequestHeader } from '../../src/fuse/request.ts';
import { dispatch, type Filesystem } from '../../src/fuse/session.ts';
import type { Target } from './target.ts';

const { ENODATA } = constants.errno;

/** Has everything that a filesystem can have, and all nodes. */
const filesystem: Filesystem = {
  lookup: () => noEntry,
  getattr: () => noEntry.attributes,
  readlink: () => Buffer.from('target'),
  read: (_, _offset, size) => [Buffer.alloc(Math.min(size, 100))],
  readdir(_, offset, add) {
    for (let next = offset + 1; next < offset + 10; next++)
      if (!add({ ...noEntry, name: Buffer.from('name'), next })) break;
    return undefined;
  },
  statfs: () => ({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 255 }),
  open: () => ({ mode: 'cached' }),
  release: () => {},
  getxattr: (_, name) => (name.length > 20 ? ENODATA : Buffer.from(name)),
  listxattr: () => [Buffer.from('user.a')],
  lseek: (_, offset) => ({ offset }),
  statx: () => noEntry.attributes,
  interrupt: () => {},
  forget: () => {},
};

export const fuseRequests: Target = {
  name: 'requests of the kernel',
  corpus: 'fuse',
  run(bytes) {
    const openFiles = new OpenFiles();
    answer(openFiles, parseHeader(bytes), bytes);
    if (bytes.length < 40) return;
    bytes.writeUInt32LE(bytes.length, 0);
    answer(openFiles, parseHeader(bytes), bytes);
  },
};

function answer(openFiles: OpenFiles, header: RequestHeader | undefined, bytes: Buffer): void {
  const request = header && parseRequest(header, bytes);
  if (request === undefined || request.kind === 'init') return;
  const answer = dispatch(filesystem, openFiles, header!, request);
  if (answer === undefined && !['forget', 'interrupt'].includes(request.kind))
    throw new Error(`nobody answers ${request.kind}`);
  if (typeof answer === 'object' && answer.some((piece) => piece.length > 1 << 20))
    throw new Error(`an answer to ${request.kind} is larger than any that was asked for`);
}
