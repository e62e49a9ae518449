import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

/** A path as text, or as the bytes that the kernel knows it by. */
export type LibcPath = string | Uint8Array;

/** A moment as `struct timespec` has it. */
export interface Timespec {
  /** Whole seconds since the epoch. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/**
 * What Node.js has no call for. Every path is that of the thing itself: a symbolic link at its end is not followed.
 * A call that fails throws a `LibcError`, whose `code` is the name of the errno as in Node's own errors.
 */
export interface Libc {
  /** The names of the extended attributes (llistxattr(2)); none where the file system has no attributes. */
  listXattrs(path: LibcPath): string[];
  /** The value of an extended attribute (lgetxattr(2)); undefined when there is none of that name. */
  getXattr(path: LibcPath, name: string): Uint8Array | undefined;
  /** Sets an extended attribute, new or not (lsetxattr(2)). */
  setXattr(path: LibcPath, name: string, value: Uint8Array): void;
  /** Makes a fifo, a socket or a device (mknod(2)); the umask counts. @param mode type and permission bits. */
  makeNode(path: LibcPath, mode: number, device?: { readonly major: number; readonly minor: number }): void;
  /** Sets both times of a path, or of an open file, to the nanosecond (utimensat(2), futimens(3)). */
  setTimes(what: LibcPath | number, access: Timespec, modification: Timespec): void;
  /** The next offset at or after `from` that holds data (lseek(2), SEEK_DATA); undefined when there is none. */
  seekData(fd: number, from: number): number | undefined;
  /** The next hole at or after `from`, the end of the file counting as one (SEEK_HOLE); undefined past the end. */
  seekHole(fd: number, from: number): number | undefined;
  /** Takes a file's clean pages out of the page cache, so that a read comes from the disk (posix_fadvise(2), DONTNEED). */
  dropCached(fd: number): void;
  /** Brings all that was written to the file system of an open file onto its disk (syncfs(2)). Does not block the thread. */
  syncFileSystem(fd: number): Promise<void>;
}

/** A call that the system refused; `code` is the name of the errno. */
export class LibcError extends Error {
  override readonly name = 'LibcError';
  readonly code: string;
  readonly syscall: string;

  constructor(errno: number, syscall: string, subject: string) {
    const code = getSystemErrorName(-errno);
    super(`${code}: ${getSystemErrorMessage(-errno)}, ${syscall} ${subject}`);
    this.code = code;
    this.syscall = syscall;
  }
}

let loaded: Promise<Libc | undefined> | undefined;

/** The C library; undefined where the optional npm package `koffi` is missing or does not run. */
export function loadLibc(): Promise<Libc | undefined> {
  loaded ??= import('koffi').then(({ default: koffi }) => bind(koffi)).catch(() => undefined);
  return loaded;
}

/** The most bytes of a value, and of all names of one file (linux/limits.h: XATTR_SIZE_MAX, XATTR_LIST_MAX). */
const xattrLimit = 65536;

const atCurrentDirectory = -100;
const noFollow = 0x100;
const adviseDontNeed = 4;
const seekDataFlag = 3;
const seekHoleFlag = 4;

function bind(koffi: typeof import('koffi')['default']): Libc {
  const process = koffi.load(null);
  const llistxattr = process.func('long llistxattr(const void *path, void *list, size_t size)');
  const lgetxattr = process.func(
    'long lgetxattr(const void *path, const char *name, void *value, size_t size)',
  );
  const lsetxattr = process.func(
    'int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)',
  );
  const mknod = process.func('int mknod(const void *path, uint32_t mode, uint64_t dev)');
  const utimensat = process.func('int utimensat(int dir, const void *path, const void *times, int flags)');
  const futimens = process.func('int futimens(int fd, const void *times)');
  const lseek = process.func('int64_t lseek(int fd, int64_t offset, int whence)');
  const fadvise = process.func('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)');
  const syncfs = process.func('int syncfs(int fd)');

  const { errno } = koffi.os;
  const room = Buffer.alloc(xattrLimit);
  /** Two of `struct timespec`. */
  const times = new BigInt64Array(4);
  const failure = (syscall: string, subject: LibcPath | number) =>
    new LibcError(
      koffi.errno(),
      syscall,
      typeof subject === 'number' ? `of descriptor ${subject}` : show(subject),
    );

  const seek = (fd: number, from: number, whence: number): number | undefined => {
    const offset = Number(lseek(fd, from, whence));
    if (offset >= 0) return offset;
    if (koffi.errno() === errno['ENXIO']) return undefined;
    throw failure('lseek', fd);
  };

  return {
    listXattrs(path) {
      const length = Number(llistxattr(cPath(path), room, room.length));
      if (length >= 0) return room.toString('utf8', 0, length).split('\0').slice(0, -1);
      if (koffi.errno() === errno['ENOTSUP']) return [];
      throw failure('llistxattr', path);
    },
    getXattr(path, name) {
      const length = Number(lgetxattr(cPath(path), name, room, room.length));
      if (length >= 0) return Uint8Array.from(room.subarray(0, length));
      if (koffi.errno() === errno['ENODATA'] || koffi.errno() === errno['ENOTSUP']) return undefined;
      throw failure('lgetxattr', path);
    },
    setXattr(path, name, value) {
      if (lsetxattr(cPath(path), name, value, value.length, 0) !== 0) throw failure('lsetxattr', path);
    },
    makeNode(path, mode, device = { major: 0, minor: 0 }) {
      if (mknod(cPath(path), mode, makedev(device.major, device.minor)) !== 0) throw failure('mknod', path);
    },
    setTimes(what, access, modification) {
      times[0] = BigInt(access.seconds);
      times[1] = BigInt(access.nanoseconds);
      times[2] = BigInt(modification.seconds);
      times[3] = BigInt(modification.nanoseconds);
      const result =
        typeof what === 'number'
          ? futimens(what, times)
          : utimensat(atCurrentDirectory, cPath(what), times, noFollow);
      if (result !== 0) throw failure('utimensat', what);
    },
    seekData: (fd, from) => seek(fd, from, seekDataFlag),
    seekHole: (fd, from) => seek(fd, from, seekHoleFlag),
    dropCached(fd) {
      fadvise(fd, 0, 0, adviseDontNeed); // only advice: where it is not taken, the read comes from memory
    },
    syncFileSystem(fd) {
      return new Promise((resolve, reject) => {
        syncfs.async(fd, (error: unknown, result: number) => {
          if (error) reject(error);
          else if (result !== 0) reject(failure('syncfs', fd));
          else resolve();
        });
      });
    },
  };
}

/** A path as C has it, with a NUL at its end; one inside would cut it short. */
function cPath(path: LibcPath): Uint8Array {
  const bytes = typeof path === 'string' ? Buffer.from(`${path}\0`) : Buffer.concat([path, Buffer.of(0)]);
  if (bytes.indexOf(0) !== bytes.length - 1) throw new TypeError(`the path ${show(path)} holds a NUL byte`);
  return bytes;
}

const show = (path: LibcPath) =>
  JSON.stringify(typeof path === 'string' ? path : Buffer.from(path).toString('latin1'));

/** A device number as glibc lays it out (makedev(3), sys/sysmacros.h). */
function makedev(major: number, minor: number): bigint {
  const [a, i] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((i & 0xffffff00n) << 12n) | (i & 0xffn);
}
