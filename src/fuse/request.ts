import { largestRead, opcode, requestHeaderSize, resentBit } from './protocol.ts';

/** `struct fuse_in_header`, as far as a reply needs it. */
export interface RequestHeader {
  readonly length: number;
  readonly opcode: number;
  /** Names the request in its reply. */
  readonly unique: bigint;
  readonly node: number;
  /** Bytes of extension records after the body (protocol 7.38). */
  readonly extensions: number;
}

/** Lookups of a node that the kernel gives back. */
export interface Forget {
  readonly node: number;
  readonly lookups: number;
}

/** What the kernel asks for. Offsets and sizes are in bytes. Names are views of the received bytes: valid until the next request. */
export type Request =
  | {
      readonly kind: 'init';
      readonly major: number;
      readonly minor: number;
      readonly maxReadahead: number;
      /** The low 32 bits of what the kernel can do, and the high ones. */
      readonly flags: number;
      readonly flags2: number;
    }
  | { readonly kind: 'lookup'; readonly name: Uint8Array }
  | {
      readonly kind: 'read' | 'readdir' | 'readdirplus';
      readonly offset: number;
      readonly size: number;
    }
  | { readonly kind: 'getattr' | 'readlink' | 'statfs' | 'destroy' }
  | {
      readonly kind: 'statx';
      /** The fields that are wanted (`STATX_*`). */
      readonly mask: number;
    }
  | {
      readonly kind: 'open' | 'opendir';
      /** As in open(2). */
      readonly flags: number;
    }
  | { readonly kind: 'release' | 'releasedir' }
  | {
      readonly kind: 'getxattr';
      readonly name: Uint8Array;
      /** The room for the value; 0 asks for its length. */
      readonly size: number;
    }
  | {
      readonly kind: 'listxattr';
      /** The room for the names; 0 asks for the length of all. */
      readonly size: number;
    }
  | { readonly kind: 'lseek'; readonly offset: number; readonly wanted: 'data' | 'hole' }
  /** The process that waits for another request got a signal; the kernel wants no reply. */
  | { readonly kind: 'interrupt'; readonly unique: bigint }
  /** The kernel wants no reply. */
  | { readonly kind: 'forget'; readonly forgets: readonly Forget[] }
  /** Would change the filesystem. */
  | { readonly kind: 'modify' }
  /** An operation that this room does not know, or that no filesystem is asked (FLUSH, ACCESS, …). */
  | { readonly kind: 'unsupported' };

const modifying: ReadonlySet<number> = new Set([
  opcode.setattr,
  opcode.symlink,
  opcode.mknod,
  opcode.mkdir,
  opcode.unlink,
  opcode.rmdir,
  opcode.rename,
  opcode.link,
  opcode.write,
  opcode.setxattr,
  opcode.removexattr,
  opcode.create,
  opcode.fallocate,
  opcode.rename2,
  opcode.copyFileRange,
  opcode.tmpfile,
  opcode.copyFileRange64,
]);

/** The header of a received request; undefined when there are too few bytes for one, so that nobody can be answered. */
export function parseHeader(bytes: Buffer): RequestHeader | undefined {
  if (bytes.length < requestHeaderSize) return undefined;
  return {
    length: bytes.readUInt32LE(0),
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    node: readUInt64(bytes, 16),
    extensions: bytes.readUInt16LE(36) * 8,
  };
}

/** Whether the kernel asked this before, and sends it again because a server took over (protocol 7.40). */
export function isResent(header: RequestHeader): boolean {
  return (header.unique & resentBit) !== 0n;
}

/** What a received request asks for; undefined when its bytes do not make sense (to be answered with EINVAL). */
export function parseRequest(header: RequestHeader, bytes: Buffer): Request | undefined {
  const end = header.length - header.extensions;
  if (header.length !== bytes.length || end < requestHeaderSize) return undefined;
  return parseBody(header, bytes.subarray(requestHeaderSize, end));
}

function parseBody(header: RequestHeader, body: Buffer): Request | undefined {
  switch (header.opcode) {
    case opcode.lookup:
      return parseLookup(body);
    case opcode.read:
      return parseRange('read', body);
    case opcode.readdir:
      return parseRange('readdir', body);
    case opcode.readdirplus:
      return parseRange('readdirplus', body);
    case opcode.getattr:
      return { kind: 'getattr' };
    case opcode.statx:
      return body.length < 24 ? undefined : { kind: 'statx', mask: body.readUInt32LE(20) };
    case opcode.readlink:
      return { kind: 'readlink' };
    case opcode.open:
      return parseOpen('open', body);
    case opcode.opendir:
      return parseOpen('opendir', body);
    case opcode.release:
      return { kind: 'release' };
    case opcode.releasedir:
      return { kind: 'releasedir' };
    case opcode.getxattr:
      return parseGetxattr(body);
    case opcode.listxattr:
      return body.length < 8 ? undefined : { kind: 'listxattr', size: body.readUInt32LE(0) };
    case opcode.lseek:
      return parseLseek(body);
    case opcode.statfs:
      return { kind: 'statfs' };
    case opcode.destroy:
      return { kind: 'destroy' };
    case opcode.init:
      return parseInit(body);
    case opcode.interrupt:
      return body.length < 8 ? undefined : { kind: 'interrupt', unique: body.readBigUInt64LE(0) };
    case opcode.forget:
      return parseForget(header.node, body);
    case opcode.batchForget:
      return parseBatchForget(body);
    default:
      return { kind: modifying.has(header.opcode) ? 'modify' : 'unsupported' };
  }
}

/** `struct fuse_init_in`: 16 bytes, and 64 since 7.36. */
function parseInit(body: Buffer): Request | undefined {
  if (body.length < 8) return undefined;
  const word = (at: number) => (body.length >= at + 4 ? body.readUInt32LE(at) : 0);
  return {
    kind: 'init',
    major: word(0),
    minor: word(4),
    maxReadahead: word(8),
    flags: word(12),
    flags2: word(16),
  };
}

/** A name of at least one byte and the NUL that ends it. */
function parseLookup(body: Buffer): Request | undefined {
  const name = nameIn(body, 0);
  return name && { kind: 'lookup', name };
}

/** `struct fuse_read_in`, which READDIR and READDIRPLUS share. */
function parseRange(kind: 'read' | 'readdir' | 'readdirplus', body: Buffer): Request | undefined {
  if (body.length < 40) return undefined;
  const offset = readUInt64(body, 8);
  const size = body.readUInt32LE(16);
  return Number.isSafeInteger(offset) && size <= largestRead ? { kind, offset, size } : undefined;
}

/** `struct fuse_open_in`. */
function parseOpen(kind: 'open' | 'opendir', body: Buffer): Request | undefined {
  return body.length < 8 ? undefined : { kind, flags: body.readUInt32LE(0) };
}

/** `struct fuse_getxattr_in` and a name. */
function parseGetxattr(body: Buffer): Request | undefined {
  const name = body.length < 8 ? undefined : nameIn(body, 8);
  return name && { kind: 'getxattr', size: body.readUInt32LE(0), name };
}

const seekData = 3;
const seekHole = 4;

/** `struct fuse_lseek_in`. */
function parseLseek(body: Buffer): Request | undefined {
  if (body.length < 24) return undefined;
  const offset = readUInt64(body, 8);
  const whence = body.readUInt32LE(16);
  if (!Number.isSafeInteger(offset) || (whence !== seekData && whence !== seekHole)) return undefined;
  return { kind: 'lseek', offset, wanted: whence === seekData ? 'data' : 'hole' };
}

/** `struct fuse_forget_in`. */
function parseForget(node: number, body: Buffer): Request | undefined {
  if (body.length < 8) return undefined;
  return { kind: 'forget', forgets: [{ node, lookups: readUInt64(body, 0) }] };
}

/** `struct fuse_batch_forget_in`, followed by so many `struct fuse_forget_one`. */
function parseBatchForget(body: Buffer): Request | undefined {
  const count = body.length < 8 ? undefined : body.readUInt32LE(0);
  if (count === undefined || body.length < 8 + 16 * count) return undefined;
  const forgets = Array.from({ length: count }, (_, i) => ({
    node: readUInt64(body, 8 + 16 * i),
    lookups: readUInt64(body, 16 + 16 * i),
  }));
  return { kind: 'forget', forgets };
}

function nameIn(body: Buffer, start: number): Uint8Array | undefined {
  const end = body.indexOf(0, start);
  return end <= start ? undefined : body.subarray(start, end);
}

function readUInt64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
