import { largestRead, opcode, requestHeaderSize } from './protocol.ts';

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

/** What the kernel asks for. Offsets and sizes are in bytes. */
export type Request =
  | {
      readonly kind: 'init';
      readonly major: number;
      readonly minor: number;
      readonly maxReadahead: number;
      readonly flags: number;
    }
  | {
      readonly kind: 'lookup';
      /** A view of the received bytes: valid until the next request is received. */
      readonly name: Uint8Array;
    }
  | {
      readonly kind: 'read' | 'readdir' | 'readdirplus';
      readonly offset: number;
      readonly size: number;
    }
  | { readonly kind: 'getattr' | 'readlink' | 'statfs' | 'destroy' }
  /** Gives back lookups; the kernel wants no reply. */
  | { readonly kind: 'forget' }
  /** Would change the filesystem. */
  | { readonly kind: 'modify' }
  /** An operation that this room does not know, or that the filesystem shall not be asked (OPEN, FLUSH, ACCESS, …). */
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

/** What a received request asks for; undefined when its bytes do not make sense (to be answered with EINVAL). */
export function parseRequest(header: RequestHeader, bytes: Buffer): Request | undefined {
  const end = header.length - header.extensions;
  if (header.length !== bytes.length || end < requestHeaderSize) return undefined;
  return parseBody(header.opcode, bytes.subarray(requestHeaderSize, end));
}

function parseBody(code: number, body: Buffer): Request | undefined {
  switch (code) {
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
    case opcode.readlink:
      return { kind: 'readlink' };
    case opcode.statfs:
      return { kind: 'statfs' };
    case opcode.destroy:
      return { kind: 'destroy' };
    case opcode.init:
      return parseInit(body);
    case opcode.forget:
    case opcode.batchForget:
      return { kind: 'forget' };
    default:
      return { kind: modifying.has(code) ? 'modify' : 'unsupported' };
  }
}

/** `struct fuse_init_in`: 16 bytes, and more since 7.36. */
function parseInit(body: Buffer): Request | undefined {
  if (body.length < 8) return undefined;
  const long = body.length >= 16;
  return {
    kind: 'init',
    major: body.readUInt32LE(0),
    minor: body.readUInt32LE(4),
    maxReadahead: long ? body.readUInt32LE(8) : 0,
    flags: long ? body.readUInt32LE(12) : 0,
  };
}

/** A name of at least one byte and the NUL that ends it. */
function parseLookup(body: Buffer): Request | undefined {
  const end = body.indexOf(0);
  return end < 1 ? undefined : { kind: 'lookup', name: body.subarray(0, end) };
}

/** `struct fuse_read_in`, which READDIR and READDIRPLUS share. */
function parseRange(kind: 'read' | 'readdir' | 'readdirplus', body: Buffer): Request | undefined {
  if (body.length < 40) return undefined;
  const offset = readUInt64(body, 8);
  const size = body.readUInt32LE(16);
  return Number.isSafeInteger(offset) && size <= largestRead ? { kind, offset, size } : undefined;
}

function readUInt64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
