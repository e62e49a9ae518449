/**
 * Mounting without root by fusermount3(1), which opens the device, mounts it, and sends its descriptor over a socket. Receiving one
 * takes recvmsg(2), for which Node has no call: it needs the npm package koffi.
 */
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getSystemErrorMessage } from 'node:util';
import { command, type Ended } from './command.ts';
import { FuseError } from './fuse-error.ts';
import { type Koffi, loadKoffi } from './koffi.ts';
import type { MountOptions } from './mount-point.ts';

/** Newest first: the older one speaks the same. */
const programs = ['fusermount3', 'fusermount'] as const;

const purpose = 'mounting without root';

/**
 * Mounts on a directory that belongs to the user. Others see the mount only where `user_allow_other` is in `/etc/fuse.conf`.
 * @returns the open device
 * @throws FuseError `missing-tool` without koffi or fusermount3, `denied` with what fusermount3 said.
 */
export async function mountByFusermount(mountpoint: string, options: MountOptions): Promise<number> {
  const socket = new DescriptorSocket(loadKoffi(purpose));
  try {
    const others = await othersMaySee();
    const flags = options.options.filter((option) => option !== 'allow_other' || others);
    const words = [...flags, `fsname=${options.source}`, `subtype=${options.subtype}`].join(',');
    const ended = await run(['-o', words, '--', mountpoint], socket.theirs);
    const device = socket.receive();
    if (device !== undefined && ended?.code === 0) return device;
    if (device !== undefined) closeSync(device);
    throw failure(`cannot mount on ${mountpoint}`, ended);
  } finally {
    socket.close();
  }
}

/**
 * Takes a mount off its directory.
 * @param lazy also when it is in use
 * @throws FuseError `missing-tool` without fusermount3.
 */
export async function unmountByFusermount(mountpoint: string, lazy: boolean): Promise<Ended> {
  const ended = await run([lazy ? '-uz' : '-u', '--', mountpoint]);
  if (ended === undefined) throw failure(`cannot unmount ${mountpoint}`, undefined);
  return ended;
}

async function run(args: readonly string[], fd?: number): Promise<Ended | undefined> {
  for (const program of programs) {
    const ended = await command(program, args, {
      ...(fd !== undefined && { fd, environment: { _FUSE_COMMFD: '3' } }),
    });
    if (ended !== undefined) return ended;
  }
  return undefined;
}

function failure(message: string, ended: Ended | undefined): FuseError {
  const otherWays = 'mount as root, or in a user namespace: unshare -Urm';
  if (ended === undefined)
    return new FuseError('missing-tool', `${message}: ${purpose} needs fusermount3`, {
      hint: `install the Debian package fuse3, ${otherWays}`,
    });
  return new FuseError('denied', message, {
    cause: new Error(ended.errors || 'fusermount3 gave no reason'),
    hint: `the directory must belong to you, and /dev/fuse be open to all (chmod 666); else ${otherWays}`,
  });
}

async function othersMaySee(): Promise<boolean> {
  const text = await readFile('/etc/fuse.conf', 'utf8').catch(() => '');
  return text.split('\n').some((line) => line.trim() === 'user_allow_other');
}

/** Constants of `sys/socket.h`. */
const unixDomain = 1;
const streamSocket = 1;
const closeOnExec = 0x80000;
const dontWait = 0x40;
const closeReceivedOnExec = 0x40000000;
/** Bytes of `struct msghdr`, `struct iovec` and a control message with one descriptor, on 64-bit machines. */
const messageSize = 56;
const vectorSize = 16;
const controlSize = 24;
/** The length, level (`SOL_SOCKET`) and type (`SCM_RIGHTS`) of a control message with one descriptor. */
const descriptorHeader = Buffer.from('14000000000000000100000001000000', 'hex');

/** A pair of sockets: one end is for another process, which sends a descriptor to the other. */
class DescriptorSocket {
  /** What the other process gets. */
  readonly theirs: number;
  readonly #ours: number;
  readonly #koffi: Koffi;

  constructor(koffi: Koffi) {
    const pair = Buffer.allocUnsafeSlow(8);
    const socketpair = koffi
      .load(null)
      .func('int socketpair(int domain, int type, int protocol, void *pair)');
    if (socketpair(unixDomain, streamSocket | closeOnExec, 0, pair) !== 0)
      throw new FuseError('failed', `cannot make sockets: ${getSystemErrorMessage(-koffi.errno())}`);
    this.#koffi = koffi;
    this.#ours = pair.readInt32LE(0);
    this.theirs = pair.readInt32LE(4);
  }

  /** The descriptor that was sent; undefined when none was. */
  receive(): number | undefined {
    const { address, load } = this.#koffi;
    const byte = Buffer.allocUnsafeSlow(1);
    const control = Buffer.allocUnsafeSlow(controlSize).fill(0);
    const vector = Buffer.allocUnsafeSlow(vectorSize);
    vector.writeBigUInt64LE(address(byte), 0);
    vector.writeBigUInt64LE(1n, 8);
    const message = Buffer.allocUnsafeSlow(messageSize).fill(0);
    message.writeBigUInt64LE(address(vector), 16);
    message.writeBigUInt64LE(1n, 24);
    message.writeBigUInt64LE(address(control), 32);
    message.writeBigUInt64LE(BigInt(controlSize), 40);
    const recvmsg = load(null).func('long recvmsg(int socket, void *message, int flags)');
    if (Number(recvmsg(this.#ours, message, closeReceivedOnExec | dontWait)) !== 1) return undefined;
    const header = control.subarray(0, descriptorHeader.length);
    return header.equals(descriptorHeader) ? control.readInt32LE(descriptorHeader.length) : undefined;
  }

  close(): void {
    closeSync(this.#ours);
    closeSync(this.theirs);
  }
}
