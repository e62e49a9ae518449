// A file system of one file, served by a worker and read by another program: fuse.ts MOUNTPOINT
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Filesystem, mountDevice, noEntry, openDevice, serve, unmount } from 'zosbuilder/fuse';

const { ENOENT } = constants.errno;
const text = Buffer.from('hello from Node\n');
const times = { blocks: 1, atime: 0, mtime: 0, ctime: 0, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096 };
const root = { ...times, ino: 1, size: 0, mode: 0o040755 };
const file = { ...times, ino: 2, size: text.length, mode: 0o100644 };
const filesystem: Filesystem = {
  lookup: (_, name) => (Buffer.from(name).toString() === 'hello' ? { node: 2, attributes: file } : noEntry),
  getattr: (node) => (node === 1 ? root : file),
  readlink: () => ENOENT,
  read: (_, offset, size) => [text.subarray(offset, offset + size)],
  readdir(_, offset, add) {
    if (offset === 0) add({ node: 2, attributes: file, name: Buffer.from('hello'), next: 1 });
    return undefined;
  },
  statfs: () => ({ blocks: 1, bfree: 0, bavail: 0, files: 1, ffree: 0, bsize: 4096, namelen: 255 }),
};

if (isMainThread) {
  const [mountpoint] = process.argv.slice(2) as [string];
  const device = openDevice();
  const ended = once(new Worker(import.meta.filename, { workerData: device }), 'exit');
  await mountDevice(device, { mountpoint, source: 'example', subtype: 'hello', options: ['ro'] });
  console.log((await promisify(execFile)('cat', [`${mountpoint}/hello`])).stdout.trim());
  await unmount(mountpoint);
  await ended;
  console.log('unmounted');
} else {
  const givenUp = new Int32Array(new SharedArrayBuffer(4));
  serve(workerData as number, filesystem, { givenUp, onError: console.error });
}
