import { constants } from 'node:os';
import { receive, sendReply } from './device.ts';
import { FuseError } from './fuse-error.ts';
import { type Errno, initFlag, newestMinor, oldestMinor, protocolMajor } from './protocol.ts';
import {
  type Attributes,
  type DirectoryEntry,
  DirectoryReply,
  type Entry,
  encodeAttributes,
  encodeEntry,
  encodeInit,
  encodeStatfs,
  type Statfs,
} from './reply.ts';
import { parseHeader, parseRequest, type Request, type RequestHeader } from './request.ts';

const { EINVAL, EIO, ENOSYS, EROFS } = constants.errno;

/** The answer to come: somebody else replies to the request with `sendReply`, now or later. */
export const later = Symbol('later');

/**
 * A read-only filesystem whose content never changes while it is mounted. Nodes are numbers of its own choice; the root
 * is 1. Each method answers at once, or with an error number; what it throws becomes EIO.
 */
export interface Filesystem {
  /** The entry of that name; `noEntry` when there is none. */
  lookup(directory: number, name: Uint8Array): Entry | Errno;
  getattr(node: number): Attributes | Errno;
  readlink(node: number): Uint8Array | Errno;
  /** The bytes from `offset` on, in pieces: `size` of them, fewer only at the end of the file. */
  read(
    node: number,
    offset: number,
    size: number,
    unique: bigint,
  ): readonly Uint8Array[] | Errno | typeof later;
  /** Adds the entries from `offset` on (0, or `next` of an entry given before) until `add` returns false. */
  readdir(node: number, offset: number, add: (entry: DirectoryEntry) => boolean): Errno | undefined;
  statfs(): Statfs;
}

export interface SessionOptions {
  /** Called once the kernel and we agree on the protocol: from here on the mount answers. */
  readonly onStart?: () => void;
  /** Called with what a method of the filesystem threw. */
  readonly onError: (error: unknown) => void;
  /** Set its first word to non-zero (and notify) to end a session that still waits for its mount. */
  readonly givenUp: Int32Array;
}

/** Seconds that the kernel may keep names and attributes: as long as it can count, for nothing ever changes. */
const lifetime = 2 ** 31 - 1;

/** No write is ever granted, so requests fit in the smallest buffer that the kernel accepts. */
const requestBufferSize = 64 * 1024;

const largestDirectoryReply = 1024 * 1024;

const wantedFlags = Object.values(initFlag).reduce((all, flag) => all | flag, 0);

/**
 * Serves a filesystem on an open `/dev/fuse` until it is unmounted. Blocks its thread all the while, so it belongs in a
 * worker. May begin before the mount: it waits until mount(8) has given the device a filesystem.
 * @throws FuseError `failed` when the kernel speaks a version of the protocol that is not served.
 */
export function serve(fd: number, filesystem: Filesystem, options: SessionOptions): void {
  const buffer = Buffer.allocUnsafeSlow(requestBufferSize);
  for (;;) {
    const received = receive(fd, buffer);
    if (received === 'unmounted') return;
    if (received === 'not-mounted-yet') {
      if (Atomics.wait(options.givenUp, 0, 0, 1) === 'not-equal') return;
      continue;
    }
    const bytes = buffer.subarray(0, received);
    const header = parseHeader(bytes);
    if (header === undefined) continue;
    const request = parseRequest(header, bytes);
    if (request?.kind === 'init') startSession(fd, header, request, options);
    else answerRequest(fd, filesystem, header, request, options);
  }
}

type InitRequest = Extract<Request, { kind: 'init' }>;

function startSession(
  fd: number,
  header: RequestHeader,
  request: InitRequest,
  options: SessionOptions,
): void {
  if (request.major < protocolMajor || (request.major === protocolMajor && request.minor < oldestMinor)) {
    sendReply(fd, header.unique, constants.errno.EPROTO);
    throw new FuseError(
      'failed',
      `the kernel speaks FUSE ${request.major}.${request.minor}, needed is ${protocolMajor}.${oldestMinor} (Linux 5.4) or newer`,
    );
  }
  sendReply(fd, header.unique, [initReply(request)]);
  // A newer major version is answered with ours, and the kernel then asks again in ours.
  if (request.major === protocolMajor) options.onStart?.();
}

/** The reply to INIT: what we want of what the kernel offers. */
export function initReply(request: InitRequest): Buffer {
  return encodeInit(protocolMajor, {
    minor: Math.min(newestMinor, request.major === protocolMajor ? request.minor : newestMinor),
    maxReadahead: request.maxReadahead,
    flags: request.flags & wantedFlags,
    maxBackground: 64,
    congestionThreshold: 48,
    maxWrite: 4096,
    maxPages: 256,
  });
}

function answerRequest(
  fd: number,
  filesystem: Filesystem,
  header: RequestHeader,
  request: Request | undefined,
  options: SessionOptions,
): void {
  if (request?.kind === 'forget') return;
  let answer: Errno | readonly Uint8Array[] | typeof later;
  try {
    answer = request === undefined ? EINVAL : dispatch(filesystem, header, request);
  } catch (error) {
    options.onError(error);
    answer = EIO;
  }
  if (answer !== later) sendReply(fd, header.unique, answer);
}

/** The answer to one request: an error number, the pieces of a body, or `later`. */
export function dispatch(
  filesystem: Filesystem,
  header: RequestHeader,
  request: Request,
): Errno | readonly Uint8Array[] | typeof later {
  switch (request.kind) {
    case 'lookup': {
      const entry = filesystem.lookup(header.node, request.name);
      return typeof entry === 'number' ? entry : [encodeEntry(entry, lifetime)];
    }
    case 'getattr': {
      const attributes = filesystem.getattr(header.node);
      return typeof attributes === 'number' ? attributes : [encodeAttributes(attributes, lifetime)];
    }
    case 'readlink': {
      const target = filesystem.readlink(header.node);
      return typeof target === 'number' ? target : [target];
    }
    case 'read':
      return filesystem.read(header.node, request.offset, request.size, header.unique);
    case 'readdir':
    case 'readdirplus': {
      const size = Math.min(request.size, largestDirectoryReply);
      const reply = new DirectoryReply(size, request.kind === 'readdirplus', lifetime);
      const errno = filesystem.readdir(header.node, request.offset, (entry) => reply.add(entry));
      return errno ?? [reply.bytes];
    }
    case 'statfs':
      return [encodeStatfs(filesystem.statfs())];
    case 'destroy':
      return [];
    case 'modify':
      return EROFS;
    default:
      // Also for OPEN, OPENDIR, FLUSH and the xattr calls: the kernel then does without them and stops asking.
      return ENOSYS;
  }
}
