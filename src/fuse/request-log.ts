import { fstatSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isAwaited, sendReply } from './device.ts';
import { interruptBit, requestHeaderSize } from './protocol.ts';
import { parseHeader } from './request.ts';

/** Room for the length and the longest request that is served: a header with the longest name. Of others the header is kept. */
const slotSize = 512;
const lengthSize = 4;
const longest = slotSize - lengthSize;

/** So many slots are in use before those are looked for whose request was answered. */
const fewSlots = 64;

/** Numbers of requests are even and grow by 2 (`FUSE_REQ_ID_STEP`), by and large: one of a readahead gets its number early. */
const step = 2n;
const disorder = 1000n * step;

/**
 * What a server has read from the device and perhaps not answered, in a file, for one that takes its place where the kernel cannot send it
 * again (before Linux 6.9). A process that waits there for an answer which does not come cannot even be killed.
 *
 * The request of the moment is in the first slot of the file. It moves on to another one when it is to be answered later, by whoever;
 * whether it was is asked of the kernel. The file belongs to one log at a time. It is best one in memory, and gone with the mount.
 */
export class RequestLog {
  readonly #fd: number;
  readonly #device: number;
  readonly #record = Buffer.alloc(slotSize);
  /** The number of the request in each slot but the first that is in use. */
  readonly #kept = new Map<number, bigint>();
  readonly #free: number[] = [];
  #slots = 1;
  #many = fewSlots;
  /** What a dead server noted last, until the number of the first request after it is known. */
  #lastBefore: bigint | undefined;

  /**
   * @param fd a file, open for reading and writing
   * @param device the open `/dev/fuse`
   */
  constructor(fd: number, device: number) {
    this.#fd = fd;
    this.#device = device;
  }

  /**
   * Goes on for a server that died, before anything else is read.
   * @returns requests that it has read and not answered, the oldest first. They are kept: they need not be noted again
   */
  takeOver(): Buffer[] {
    const bytes = Buffer.alloc(fstatSync(this.#fd).size);
    const length = readSync(this.#fd, bytes, 0, bytes.length, 0);
    this.#slots = Math.max(1, Math.ceil(length / slotSize));
    const [current, ...others] = Array.from({ length: this.#slots }, (_, slot) =>
      requestIn(bytes.subarray(slot * slotSize, Math.min(length, (slot + 1) * slotSize))),
    );
    const left = new Map<bigint, Buffer>();
    for (const [i, request] of others.entries()) {
      if (request !== undefined && isAwaited(this.#device, request.unique)) {
        this.#kept.set(i + 1, request.unique);
        left.set(request.unique, request.bytes);
      } else this.#free.push(i + 1);
    }
    if (current !== undefined && !left.has(current.unique) && isAwaited(this.#device, current.unique)) {
      this.#write(current.bytes);
      this.keep(current.unique);
      left.set(current.unique, current.bytes);
    }
    this.#lastBefore = current?.unique ?? 0n;
    this.#endLost(this.#lastBefore, this.#lastBefore);
    return [...left].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, request]) => request);
  }

  /** A request was read; to be called before anything else is done for it. */
  note(unique: bigint, bytes: Buffer): void {
    if ((unique & interruptBit) !== 0n) return;
    this.#write(bytes);
    if (this.#lastBefore !== undefined) this.#endLost(this.#lastBefore, unique);
    this.#lastBefore = undefined;
  }

  /** The request that was noted last is answered later. */
  keep(unique: bigint): void {
    const slot = this.#slot();
    writeSync(this.#fd, this.#record, 0, slotSize, slot * slotSize);
    this.#kept.set(slot, unique);
  }

  #write(request: Buffer): void {
    const size = request.length > longest ? requestHeaderSize : request.length;
    this.#record.writeUInt32LE(size, 0);
    request.copy(this.#record, lengthSize, 0, size);
    writeSync(this.#fd, this.#record, 0, lengthSize + size, 0);
  }

  #slot(): number {
    if (this.#kept.size >= this.#many) {
      for (const [slot, unique] of this.#kept)
        if (!isAwaited(this.#device, unique)) {
          this.#kept.delete(slot);
          this.#free.push(slot);
        }
      this.#many = Math.max(fewSlots, 2 * this.#kept.size);
    }
    return this.#free.pop() ?? this.#slots++;
  }

  /**
   * A server that is killed while it reads a request leaves one of which nobody knows more than its number, about. What goes by a path, the
   * kernel asks once more by itself after ESTALE, and so it does with a page that was read ahead.
   */
  #endLost(last: bigint, next: bigint): void {
    const known = new Set([...this.#kept.values(), next]);
    for (let unique = last > disorder ? last - disorder : step; unique < next + disorder; unique += step)
      if (!known.has(unique)) sendReply(this.#device, unique, constants.errno.ESTALE);
  }
}

/** The request in a slot; undefined when there is none. */
function requestIn(slot: Buffer): { readonly unique: bigint; readonly bytes: Buffer } | undefined {
  if (slot.length < lengthSize) return undefined;
  const bytes = slot.subarray(lengthSize, lengthSize + slot.readUInt32LE(0));
  const header = parseHeader(bytes);
  return header && { unique: header.unique, bytes };
}
