import { constants } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initReply, negotiate } from './negotiate.ts';
import { OpenFiles } from './open-files.ts';
import { type Errno, featureBit } from './protocol.ts';
import { noEntry, type OpenAnswer } from './reply.ts';
import { parseHeader, parseRequest, type Request } from './request.ts';
import { dispatch, type Filesystem } from './session.ts';

const { EISDIR, ENODATA, ENOENT, ENOSYS, ENXIO, ERANGE, EROFS } = constants.errno;

const small: Filesystem = {
  lookup: () => noEntry,
  getattr: () => ENOENT,
  readlink: () => Buffer.from('target'),
  read: () => EISDIR,
  readdir: () => undefined,
  statfs: () => ({ blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, bsize: 4096, namelen: 255 }),
};

const full: Filesystem = {
  ...small,
  open: () => ({ mode: 'cached' }),
  getxattr: (_, name) => (Buffer.from(name).toString() === 'user.a' ? Buffer.from('value') : ENODATA),
  listxattr: () => [Buffer.from('user.a'), Buffer.from('user.b')],
  lseek: (_, offset) => (offset > 100 ? ENXIO : { offset }),
  statx: () => ({ ...noEntry.attributes, btime: 1 }),
};

const header = { length: 40, opcode: 0, unique: 2n, node: 1, extensions: 0 };
const asker = (filesystem: Filesystem, openFiles = new OpenFiles()) => {
  let unique = 0n;
  return (request: Request) => {
    unique += 2n;
    return dispatch(filesystem, openFiles, { ...header, unique }, request) as Errno | Buffer[] | undefined;
  };
};
const ask = asker(small);

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

test('what a filesystem does not have is not implemented, so that the kernel asks once', () => {
  const name = Buffer.from('user.a');
  const requests: Request[] = [
    { kind: 'open', flags: 0 },
    { kind: 'opendir', flags: 0 },
    { kind: 'getxattr', name, size: 0 },
    { kind: 'listxattr', size: 0 },
    { kind: 'lseek', offset: 0, wanted: 'data' },
    { kind: 'statx', mask: 0xfff },
    { kind: 'interrupt', unique: 8n },
  ];
  expect(requests.map((request) => ask(request))).toEqual(requests.map(() => ENOSYS));
});

test('an attribute is given whole to who has room for it, and its length to who asks for that', () => {
  const ask = asker(full);
  const name = Buffer.from('user.a');
  expect(ask({ kind: 'getxattr', name, size: 5 })).toEqual([Buffer.from('value')]);
  expect(ask({ kind: 'getxattr', name, size: 4 })).toBe(ERANGE);
  expect(ask({ kind: 'getxattr', name, size: 0 })).toEqual([Buffer.from('0500000000000000', 'hex')]);
  expect(ask({ kind: 'getxattr', name: Buffer.from('user.c'), size: 0 })).toBe(ENODATA);
  expect(ask({ kind: 'listxattr', size: 14 })).toEqual([Buffer.from('user.a\0user.b\0')]);
  expect(ask({ kind: 'listxattr', size: 13 })).toBe(ERANGE);
  expect(ask({ kind: 'listxattr', size: 0 })).toEqual([Buffer.from('0e00000000000000', 'hex')]);
});

test('an offset is found, or the error of lseek(2)', () => {
  const ask = asker(full);
  expect(ask({ kind: 'lseek', offset: 7, wanted: 'hole' })).toEqual([Buffer.from('0700000000000000', 'hex')]);
  expect(ask({ kind: 'lseek', offset: 101, wanted: 'data' })).toBe(ENXIO);
});

test('a file is never opened for writing', () => {
  const ask = asker(full);
  expect([0, 1, 2].map((flags) => typeof ask({ kind: 'open', flags }))).toEqual([
    'object',
    'number',
    'number',
  ]);
  expect(ask({ kind: 'open', flags: 1 })).toBe(EROFS);
});

test('the first opening of a file says how it is opened until the last is closed', () => {
  const answers: OpenAnswer[] = [{ mode: 'passthrough', backing: 9 }, { mode: 'cached' }];
  const released: OpenAnswer[] = [];
  const ask = asker({
    ...small,
    open: () => answers.shift() ?? ENOENT,
    release: (_, answer) => void released.push(answer),
  });
  const backing = () => (ask({ kind: 'open', flags: 0 }) as Buffer[])[0]!.readInt32LE(12);
  expect([backing(), backing()]).toEqual([9, 9]);
  ask({ kind: 'release' });
  expect(released).toEqual([]);
  expect(backing()).toBe(9);
  ask({ kind: 'release' });
  ask({ kind: 'release' });
  expect(released).toEqual([{ mode: 'passthrough', backing: 9 }]);
  expect(backing()).toBe(0);
  ask({ kind: 'release' });
  expect(released).toEqual([{ mode: 'passthrough', backing: 9 }, { mode: 'cached' }]);
  expect(ask({ kind: 'open', flags: 0 })).toBe(ENOENT);
  expect(ask({ kind: 'release' })).toEqual([]);
});

test('an interrupted request is named to the filesystem, and what is forgotten too, without a reply', () => {
  const told: unknown[] = [];
  const ask = asker({
    ...small,
    interrupt: (unique) => void told.push(unique),
    forget: (node, lookups) => void told.push([node, lookups]),
  });
  expect(ask({ kind: 'interrupt', unique: 8n })).toBeUndefined();
  const forgets = [
    { node: 5, lookups: 1 },
    { node: 6, lookups: 2 },
  ];
  expect(ask({ kind: 'forget', forgets })).toBeUndefined();
  expect(told).toEqual([8n, [5, 1], [6, 2]]);
});

const init = { kind: 'init', major: 7, maxReadahead: 131072 } as const;
const everything = { ...init, flags: 0xffffffff, flags2: 0xffffffff };
const bitsOf = (features: readonly (keyof typeof featureBit)[]) => features.map((name) => featureBit[name]);

test('what is agreed on is what both have, in the version of the older side', () => {
  const old = { ...init, minor: 31, flags: (1 << 0) | (1 << 22) | (1 << 16), flags2: 0 };
  expect(negotiate(old, [])).toEqual({ minor: 31, features: ['asyncRead', 'maxPages'] });
  const reply = initReply(old, negotiate(old, []));
  expect([reply.readUInt32LE(4), reply.readUInt32LE(12)]).toEqual([31, (1 << 0) | (1 << 22)]);
  expect(negotiate({ ...everything, minor: 99 }, []).minor).toBe(45);
});

test('passthrough and access lists are agreed on only when they are wanted', () => {
  const usual = negotiate({ ...everything, minor: 45 }, []);
  expect(usual.features).not.toContain('passthrough');
  expect(initReply({ ...everything, minor: 45 }, usual).readUInt32LE(36)).toBe(0);
  const all = negotiate({ ...everything, minor: 45 }, ['passthrough', 'posixAcl']);
  expect(bitsOf(all.features).toSorted((a, b) => a - b)).toEqual(Object.values(featureBit));
  const reply = initReply({ ...everything, minor: 45 }, all);
  expect([reply.readUInt32LE(32), reply.readUInt32LE(36)]).toEqual([(1 << 5) | (1 << 7), 1]);
});

test('the upper half of the flags counts only for a kernel that says that it has one', () => {
  const noUpperHalf = { ...everything, minor: 45, flags: 0xffffffff & ~(1 << 30) };
  const { features } = negotiate(noUpperHalf, ['passthrough']);
  expect(bitsOf(features).filter((bit) => bit >= 30)).toEqual([]);
});

test('a kernel that is too old is told from one that is too new', () => {
  expect(() => negotiate({ ...everything, minor: 30 }, [])).toThrow(/7\.30, needed is 7\.31/);
  expect(() => negotiate({ ...everything, major: 6, minor: 99 }, [])).toThrow(/needed is 7\.31/);
  expect(negotiate({ ...everything, major: 8, minor: 0 }, []).minor).toBe(45);
});

test('every request that can be parsed gets an answer, but those that want none', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.uint8Array({ maxLength: 120 }),
      fc.boolean(),
      (code, body, isFull) => {
        const bytes = Buffer.concat([Buffer.alloc(40), body]);
        bytes.writeUInt32LE(bytes.length, 0);
        bytes.writeUInt32LE(code, 4);
        const parsed = parseHeader(bytes)!;
        const request = parseRequest(parsed, bytes);
        if (request === undefined) return;
        const answer = dispatch(isFull ? full : small, new OpenFiles(), parsed, request);
        if (request.kind === 'forget') expect(answer).toBeUndefined();
        else expect(answer).toBeDefined();
      },
    ),
  );
});
