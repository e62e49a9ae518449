import { existsSync, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a server must know to go on with a mount that another one began. */
export interface MountState<Session = unknown, Handover = unknown> {
  /** The real path of the directory. */
  readonly mountpoint: string;
  /** The source of the mount: a pid, in digits. */
  readonly source: string;
  /** When the flist was mounted, in milliseconds since 1970. */
  readonly mounted: number;
  /** What was agreed with the kernel. */
  readonly session: Session;
  /** When servers took over, in milliseconds since 1970: the last few times. */
  readonly takeOvers: readonly number[];
  /** What the program that mounts wants to know again, such as its stores with their secrets. */
  readonly handover: Handover;
}

const memory = '/dev/shm';

/**
 * Opens a new empty file for the state of a mount. It has no name, so nobody else opens it and it goes with the last process that
 * has it open; it lies in memory where there is a file system for that, for it may hold secrets.
 */
export function createStateFile(): number {
  const name = `.zosbuilder-${process.pid}-${process.hrtime.bigint()}`;
  const path = join(existsSync(memory) ? memory : tmpdir(), name);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

/** Replaces the state by one write, so that a process which dies meanwhile leaves the old one or the new one. */
export function writeState(fd: number, state: MountState): void {
  const bytes = Buffer.from(JSON.stringify(state));
  const rest = fstatSync(fd).size - bytes.length;
  writeSync(fd, Buffer.concat([bytes, Buffer.alloc(Math.max(0, rest), ' ')]), 0, undefined, 0);
}

/** The state; undefined when the predecessor died before its mount was up. */
export function readState<Session, Handover>(fd: number): MountState<Session, Handover> | undefined {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.length === 0 ? undefined : (JSON.parse(bytes.toString()) as MountState<Session, Handover>);
}
