/**
 * Reads random ranges of files in every way that programs do, and compares them with a copy: run by tests as a process of its own,
 * `node read-ways.fixture.ts SEED COUNT MOUNT COPY FILE…`. Prints how often it went each way; fails with the first range that differs.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  readvSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const mmap = libc.func(
  'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
);
const munmap = libc.func('int munmap(void *address, size_t length)');
const sendfile = libc.func('int64_t sendfile(int out, int in, _Inout_ int64_t *offset, size_t count)');
const [protRead, mapShared, mapPrivate] = [1, 1, 2];
const page = 4096;
const blockSize = 512 * 1024;

interface Range {
  readonly offset: number;
  readonly length: number;
}

const scratch = mkdtempSync(join(tmpdir(), 'read-ways-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Ways to read a range of an open file, or of one that is opened for it. */
const ways: Readonly<Record<string, (fd: number, range: Range, path: string) => Buffer>> = {
  pread: (fd, { offset, length }) => readAll(fd, offset, length),
  readv: (fd, { offset, length }) => {
    const parts = [Buffer.alloc(length >> 1), Buffer.alloc(length - (length >> 1))];
    const read = readvSync(fd, parts, offset);
    return Buffer.concat([Buffer.concat(parts).subarray(0, read), readAll(fd, offset + read, length - read)]);
  },
  'mmap shared': (fd, range) => mapped(fd, range, mapShared),
  'mmap private': (fd, range) => mapped(fd, range, mapPrivate),
  O_DIRECT: (_fd, { offset, length }, path) => {
    const direct = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
    try {
      const start = offset - (offset % page);
      const span = Math.ceil((offset + length - start) / page) * page;
      const memory = Buffer.allocUnsafeSlow(span + page);
      const aligned = memory.subarray(page - Number(koffi.address(memory) % BigInt(page)));
      let filled = 0;
      for (let read = 1; read > 0 && filled < span && filled % page === 0; filled += read)
        read = readSync(direct, aligned, filled, span - filled, start + filled);
      return Buffer.from(aligned.subarray(offset - start, Math.min(filled, offset - start + length)));
    } finally {
      closeSync(direct);
    }
  },
  sendfile: (fd, range) =>
    through(range, (out, left) => Number(sendfile(out, fd, [range.offset + range.length - left], left))),
};

function readAll(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  for (let read = 1; read > 0 && filled < length; filled += read)
    read = readSync(fd, bytes, filled, length - filled, offset + filled);
  return bytes;
}

function mapped(fd: number, { offset, length }: Range, flags: number): Buffer {
  const start = offset - (offset % page);
  const span = offset + length - start;
  const address = mmap(null, span, protRead, flags, fd, start);
  if (koffi.address(address) === 0xffff_ffff_ffff_ffffn) throw new Error('mmap failed');
  try {
    return Buffer.from(new Uint8Array(koffi.view(address, span)).subarray(offset - start));
  } finally {
    munmap(address, span);
  }
}

/** What a call that copies between files gave, called until the range is whole. */
function through({ length }: Range, copy: (out: number, left: number) => number): Buffer {
  const out = openSync(join(scratch, 'copy'), 'w+');
  try {
    for (let left = length; left > 0; ) {
      const copied = copy(out, left);
      if (copied <= 0) throw new Error(`${copied} bytes copied, errno ${koffi.errno()}`);
      left -= copied;
    }
    return readAll(out, 0, length);
  } finally {
    closeSync(out);
  }
}

/** Numbers from a seed (mulberry32), so that a failure can be seen again. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A range of a file, often near the edge of a block, a page, or the end. */
function randomRange(random: () => number, size: number): Range {
  const edges = [0, size, page, blockSize, Math.floor((random() * size) / blockSize) * blockSize];
  const near = edges[Math.floor(random() * edges.length)]! + Math.floor((random() - 0.5) * 2 * page);
  const offset = Math.min(size - 1, Math.max(0, random() < 0.5 ? near : Math.floor(random() * size)));
  const most = random() < 0.2 ? 4 * blockSize : 3 * page;
  return { offset, length: 1 + Math.floor(random() * Math.min(size - offset, most)) };
}

const [seed, count, mount, copy, ...files] = process.argv.slice(2);
const random = numbers(Number(seed));
const counts: Record<string, number> = {};
for (let round = 0; round < Number(count); round++) {
  const name = files[Math.floor(random() * files.length)]!;
  const path = join(mount!, name);
  const right = readFileSync(join(copy!, name));
  const fd = openSync(path, 'r');
  try {
    if (fstatSync(fd).size !== right.length) throw new Error(`${name} has another size`);
    const [way, read] = Object.entries(ways)[Math.floor(random() * Object.keys(ways).length)]!;
    const range = randomRange(random, right.length);
    const bytes = read(fd, range, path);
    if (!bytes.equals(right.subarray(range.offset, range.offset + range.length)))
      throw new Error(
        `${name}: ${way} of ${range.length} bytes at ${range.offset} differs (seed ${seed}, round ${round})`,
      );
    counts[way] = (counts[way] ?? 0) + 1;
  } finally {
    closeSync(fd);
  }
}
console.log(JSON.stringify(counts));
