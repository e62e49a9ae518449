import { constants } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initFlag } from './protocol.ts';
import { noEntry } from './reply.ts';
import { parseHeader, parseRequest, type Request } from './request.ts';
import { dispatch, type Filesystem, initReply } from './session.ts';

const { EISDIR, ENOENT, ENOSYS, EROFS } = constants.errno;

const filesystem: Filesystem = {
  lookup: () => noEntry,
  getattr: () => ENOENT,
  readlink: () => Buffer.from('target'),
  read: () => EISDIR,
  readdir: () => undefined,
  statfs: () => ({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 255 }),
};

const header = { length: 40, opcode: 0, unique: 1n, node: 1, extensions: 0 };
const ask = (request: Request) => dispatch(filesystem, header, request);

test('a missing name is answered with an entry of node 0 that stays valid, so that the kernel remembers it', () => {
  const [body] = ask({ kind: 'lookup', name: Buffer.from('x') }) as Buffer[];
  expect(body!.readBigUInt64LE(0)).toBe(0n);
  expect(body!.readBigUInt64LE(16)).toBe(2n ** 31n - 1n);
});

test('an error number of the filesystem is the answer', () => {
  expect(ask({ kind: 'getattr' })).toBe(ENOENT);
  expect(ask({ kind: 'read', offset: 0, size: 1 })).toBe(EISDIR);
});

test('what would change the filesystem is refused, and what is unknown is not implemented', () => {
  expect(ask({ kind: 'modify' })).toBe(EROFS);
  expect(ask({ kind: 'unsupported' })).toBe(ENOSYS);
});

test('INIT takes of the wanted flags those that the kernel has, in the version of the older side', () => {
  const init = { kind: 'init', major: 7, maxReadahead: 131072 } as const;
  const old = initReply({ ...init, minor: 31, flags: initFlag.asyncRead | initFlag.maxPages | (1 << 16) });
  expect([old.readUInt32LE(4), old.readUInt32LE(12)]).toEqual([31, initFlag.asyncRead | initFlag.maxPages]);
  const future = initReply({ ...init, minor: 99, flags: 0xffffffff });
  expect(future.readUInt32LE(4)).toBe(45);
  expect(future.readUInt32LE(12)).toBe(Object.values(initFlag).reduce((all, flag) => all | flag));
});

test('every request that can be parsed gets an answer', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.uint8Array({ maxLength: 120 }), (code, body) => {
      const bytes = Buffer.concat([Buffer.alloc(40), body]);
      bytes.writeUInt32LE(bytes.length, 0);
      bytes.writeUInt32LE(code, 4);
      const parsed = parseHeader(bytes)!;
      const request = parseRequest(parsed, bytes);
      if (request !== undefined) expect(dispatch(filesystem, parsed, request)).toBeDefined();
    }),
  );
});
