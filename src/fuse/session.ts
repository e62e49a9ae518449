import { constants } from 'node:os';
import { receive, sendReply } from './device.ts';
import {
  type InitRequest,
  initReply,
  type NegotiatedSession,
  negotiate,
  type OptionalFeature,
} from './negotiate.ts';
import { notifyResend } from './notify.ts';
import { OpenFiles } from './open-files.ts';
import { type Errno, type Feature, opcode, protocolMajor } from './protocol.ts';
import {
  type Attributes,
  type DirectoryEntry,
  DirectoryReply,
  type Entry,
  type ExtendedAttributes,
  encodeAttributes,
  encodeEntry,
  encodeLseek,
  encodeOpen,
  encodeStatfs,
  encodeStatx,
  encodeXattrNames,
  encodeXattrSize,
  type OpenAnswer,
  type Statfs,
} from './reply.ts';
import { parseHeader, parseRequest, type Request, type RequestHeader } from './request.ts';
import type { RequestLog } from './request-log.ts';

const { EINVAL, EIO, ENOSYS, EPROTO, ERANGE, EROFS } = constants.errno;

/** The answer to come: somebody else replies to the request with `sendReply`, now or later. */
export const later = Symbol('later');

/**
 * A read-only filesystem whose content never changes while it is mounted. Nodes are numbers of its own choice; the root
 * is 1. Each method answers at once, or with an error number; what it throws becomes EIO. The kernel asks once for what a
 * filesystem has no method for, and does without it.
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
  /**
   * How a file shall be read, when nobody has it open yet. Without this method the kernel opens files by itself, as `cached`.
   * It may answer `passthrough` when that was agreed (`SessionOptions.wanted`).
   */
  open?(node: number): OpenAnswer | Errno;
  /** Nobody has the file open any more. */
  release?(node: number, answer: OpenAnswer): void;
  /** The value of an extended attribute. */
  getxattr?(node: number, name: Uint8Array): Uint8Array | Errno;
  /** The names of all extended attributes. */
  listxattr?(node: number): readonly Uint8Array[] | Errno;
  /** The next offset of data or of a hole, at or after `offset`, as lseek(2) has it: the end of a file is a hole. */
  lseek?(node: number, offset: number, wanted: 'data' | 'hole'): { readonly offset: number } | Errno;
  /** Attributes with the time of birth, which getattr does not know. */
  statx?(node: number): ExtendedAttributes | Errno;
  /** The process that waits for the answer to `unique` got a signal: the answer may now be EINTR. */
  interrupt?(unique: bigint): void;
  /** The kernel gives back so many of the entries of this node that it got. */
  forget?(node: number, lookups: number): void;
}

export interface SessionOptions {
  /** Called once the kernel and we agree on the protocol: from here on the mount answers. */
  readonly onStart?: (negotiated: NegotiatedSession) => void;
  /** Called with each request before it is answered, to count it: it shall be quick. */
  readonly onRequest?: (header: RequestHeader, request: Request) => void;
  /** Called with what a method of the filesystem threw. */
  readonly onError: (error: unknown) => void;
  /** Set its first word to non-zero (and notify) to end a session that still waits for its mount. */
  readonly givenUp: Int32Array;
  /** What shall be agreed on, where the kernel has it, beside the usual. */
  readonly wanted?: readonly OptionalFeature[];
  /** What is open, when that shall outlive this server. */
  readonly openFiles?: OpenFiles;
  /** What is not to be agreed on, as if the kernel were older. */
  readonly without?: readonly Feature[];
  /** What is not answered yet, when that shall outlive this server on a kernel that cannot send it again. */
  readonly requests?: RequestLog;
  /** What another server agreed on for this mount, whose place is taken: there is no INIT, and what it left unanswered comes again, or is in `requests`. */
  readonly takeOver?: NegotiatedSession;
}

/** Seconds that the kernel may keep names and attributes: as long as it can count, for nothing ever changes. */
const lifetime = 2 ** 31 - 1;

/** No write is ever granted, so requests fit in the smallest buffer that the kernel accepts. */
const requestBufferSize = 64 * 1024;

const largestDirectoryReply = 1024 * 1024;

/** The bits of open(2) that say what a file is opened for (`O_ACCMODE`), of which none is set for reading (`O_RDONLY`). */
const accessMode = 0o3;

/** Requests that get no reply, whatever is in them. */
const unanswered: ReadonlySet<number> = new Set([opcode.forget, opcode.batchForget]);

/** The number of an opening that is taken back. */
const noRequest = 0n;

type Answer = Errno | readonly Uint8Array[] | typeof later;

/**
 * Serves a filesystem on an open `/dev/fuse` until it is unmounted. Blocks its thread all the while, so it belongs in a
 * worker. May begin before the mount: it waits until mount(8) has given the device a filesystem.
 * @throws FuseError `failed` when the kernel speaks a version of the protocol that is not served.
 */
export function serve(fd: number, filesystem: Filesystem, options: SessionOptions): void {
  const buffer = Buffer.allocUnsafeSlow(requestBufferSize);
  const openFiles = options.openFiles ?? new OpenFiles();
  let log: RequestLog | undefined;
  if (options.takeOver !== undefined) {
    log = goOn(fd, options.takeOver, options);
    for (const bytes of log?.takeOver() ?? []) {
      const header = parseHeader(bytes)!;
      answerRequest(fd, filesystem, openFiles, header, parseRequest(header, bytes), options);
    }
  }
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
    if (request !== undefined) options.onRequest?.(header, request);
    if (request?.kind === 'init') {
      log = startSession(fd, header, request, options);
      continue;
    }
    log?.note(header.unique, bytes);
    const isAnswered = answerRequest(fd, filesystem, openFiles, header, request, options);
    if (!isAnswered) log?.keep(header.unique);
  }
}

/** Goes on with a session. Returns the log of requests, where the kernel cannot send any again. */
function goOn(fd: number, session: NegotiatedSession, options: SessionOptions): RequestLog | undefined {
  options.onStart?.(session);
  if (!session.features.includes('resend')) return options.requests;
  notifyResend(fd);
  return undefined;
}

/** Answers INIT. Returns the log of requests, where the kernel cannot send any again. */
function startSession(
  fd: number,
  header: RequestHeader,
  request: InitRequest,
  options: SessionOptions,
): RequestLog | undefined {
  let negotiated: NegotiatedSession;
  try {
    negotiated = negotiate(request, options.wanted ?? [], options.without);
  } catch (error) {
    sendReply(fd, header.unique, EPROTO);
    throw error;
  }
  sendReply(fd, header.unique, [initReply(request, negotiated)]);
  // A newer major version is answered with ours, and the kernel then asks again in ours.
  if (request.major === protocolMajor) options.onStart?.(negotiated);
  return negotiated.features.includes('resend') ? undefined : options.requests;
}

/** Returns whether nothing is left to be answered later. */
function answerRequest(
  fd: number,
  filesystem: Filesystem,
  openFiles: OpenFiles,
  header: RequestHeader,
  request: Request | undefined,
  options: SessionOptions,
): boolean {
  let answer: Answer | undefined;
  try {
    answer = request === undefined ? EINVAL : dispatch(filesystem, openFiles, header, request);
  } catch (error) {
    options.onError(error);
    answer = EIO;
  }
  if (answer === later) return false;
  if (answer === undefined || unanswered.has(header.opcode)) return true;
  const isTaken = sendReply(fd, header.unique, answer);
  if (!isTaken && request?.kind === 'open' && typeof answer !== 'number')
    closeFile(filesystem, openFiles, { ...header, unique: noRequest });
  return true;
}

/** The answer to one request: an error number, the pieces of a body, or `later`; undefined when the kernel wants none. */
export function dispatch(
  filesystem: Filesystem,
  openFiles: OpenFiles,
  header: RequestHeader,
  request: Request,
): Answer | undefined {
  const { node, unique } = header;
  switch (request.kind) {
    case 'lookup': {
      const entry = filesystem.lookup(node, request.name);
      return typeof entry === 'number' ? entry : [encodeEntry(entry, lifetime)];
    }
    case 'getattr': {
      const attributes = filesystem.getattr(node);
      return typeof attributes === 'number' ? attributes : [encodeAttributes(attributes, lifetime)];
    }
    case 'statx': {
      const attributes = filesystem.statx?.(node) ?? ENOSYS;
      return typeof attributes === 'number' ? attributes : [encodeStatx(attributes, lifetime)];
    }
    case 'readlink': {
      const target = filesystem.readlink(node);
      return typeof target === 'number' ? target : [target];
    }
    case 'read':
      return filesystem.read(node, request.offset, request.size, unique);
    case 'readdir':
    case 'readdirplus': {
      const size = Math.min(request.size, largestDirectoryReply);
      const reply = new DirectoryReply(size, request.kind === 'readdirplus', lifetime);
      const errno = filesystem.readdir(node, request.offset, (entry) => reply.add(entry));
      return errno ?? [reply.bytes];
    }
    case 'statfs':
      return [encodeStatfs(filesystem.statfs())];
    case 'open':
      return openFile(filesystem, openFiles, header, request.flags);
    case 'release':
      closeFile(filesystem, openFiles, header);
      return [];
    case 'getxattr': {
      const value = filesystem.getxattr?.(node, request.name) ?? ENOSYS;
      return typeof value === 'number' ? value : inRoom(value, request.size);
    }
    case 'listxattr': {
      const names = filesystem.listxattr?.(node) ?? ENOSYS;
      return typeof names === 'number' ? names : inRoom(encodeXattrNames(names), request.size);
    }
    case 'lseek': {
      const found = filesystem.lseek?.(node, request.offset, request.wanted) ?? ENOSYS;
      return typeof found === 'number' ? found : [encodeLseek(found.offset)];
    }
    case 'interrupt':
      if (filesystem.interrupt === undefined) return ENOSYS;
      filesystem.interrupt(request.unique);
      return undefined;
    case 'forget':
      if (filesystem.forget !== undefined)
        for (const forget of request.forgets) filesystem.forget(forget.node, forget.lookups);
      return undefined;
    case 'destroy':
    case 'releasedir':
      return [];
    case 'modify':
      return EROFS;
    default:
      // Also for OPENDIR, FLUSH and ACCESS: the kernel then does without them and stops asking.
      return ENOSYS;
  }
}

function openFile(
  filesystem: Filesystem,
  openFiles: OpenFiles,
  { node, unique }: RequestHeader,
  flags: number,
): Answer {
  if (filesystem.open === undefined) return ENOSYS;
  if ((flags & accessMode) !== 0) return EROFS;
  const answer = openFiles.open(node, unique, () => filesystem.open!(node));
  return typeof answer === 'number' ? answer : [encodeOpen(answer)];
}

function closeFile(filesystem: Filesystem, openFiles: OpenFiles, { node, unique }: RequestHeader): void {
  openFiles.close(node, unique, (answer) => filesystem.release?.(node, answer));
}

/** An extended attribute for a caller who has so much room for it, or asks with 0 how much it takes. */
function inRoom(bytes: Uint8Array, room: number): Answer {
  if (room === 0) return [encodeXattrSize(bytes.length)];
  return bytes.length > room ? ERANGE : [bytes];
}
