import { fstatSync, readSync, writeSync } from 'node:fs';
import { type Errno, resentBit } from './protocol.ts';
import type { OpenAnswer } from './reply.ts';

/** One file that the kernel has open: however often, always in one mode. */
interface OpenFile {
  readonly answer: OpenAnswer;
  count: number;
  /** The request that changed the count last. */
  unique: bigint;
  /** Its place in the file of the table. */
  readonly slot: number;
}

const slotSize = 32;
const modes = ['cached', 'direct', 'passthrough'] as const;

/**
 * Which nodes the kernel has open and how. The kernel reads a node either by its own cache or by passthrough: another answer than
 * the first, while one opening lasts, gives its user EIO; so the first holds for all.
 *
 * With a file every change is in it before the kernel hears of it, so that a server which takes over after any death knows the same.
 * The file belongs to one table at a time. It is best one in memory, and gone with the mount.
 */
export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();
  readonly #free: number[] = [];
  #slots = 0;
  readonly #fd: number | undefined;
  readonly #record = Buffer.alloc(slotSize);

  /** @param fd a file to keep the table in, open for reading and writing; what an earlier table left there is taken up */
  constructor(fd?: number) {
    this.#fd = fd;
    if (fd !== undefined) this.#load(fd);
  }

  /** The nodes that are open, and how. */
  *[Symbol.iterator](): Generator<readonly [node: number, answer: OpenAnswer]> {
    for (const [node, { answer }] of this.#files) yield [node, answer];
  }

  /** How many nodes are open. */
  get size(): number {
    return this.#files.size;
  }

  /**
   * Counts an opening.
   * @param choose how the node shall be opened; only asked when it is not open already
   * @returns the answer to the request, or the refusal of `choose`
   */
  open(node: number, unique: bigint, choose: () => OpenAnswer | Errno): OpenAnswer | Errno {
    const known = this.#files.get(node);
    if (known !== undefined) {
      if (!isRepeated(known, unique)) this.#count(node, known, unique, 1);
      return known.answer;
    }
    const answer = choose();
    if (typeof answer !== 'number')
      this.#count(node, { answer, count: 0, unique, slot: this.#free.pop() ?? this.#slots++ }, unique, 1);
    return answer;
  }

  /**
   * Counts a closing.
   * @param last gets the answer that the node was opened with when this was its last opening
   */
  close(node: number, unique: bigint, last: (answer: OpenAnswer) => void): void {
    const known = this.#files.get(node);
    if (known === undefined || isRepeated(known, unique)) return;
    if (known.count === 1) last(known.answer);
    this.#count(node, known, unique, -1);
  }

  #count(node: number, file: OpenFile, unique: bigint, by: 1 | -1): void {
    file.count += by;
    file.unique = unique & ~resentBit;
    this.#save(node, file);
    if (file.count > 0) this.#files.set(node, file);
    else {
      this.#files.delete(node);
      this.#free.push(file.slot);
    }
  }

  #save(node: number, { answer, count, unique, slot }: OpenFile): void {
    if (this.#fd === undefined) return;
    this.#record.writeDoubleLE(node, 0);
    this.#record.writeBigUInt64LE(unique, 8);
    this.#record.writeUInt32LE(modes.indexOf(answer.mode), 16);
    this.#record.writeInt32LE(answer.mode === 'passthrough' ? answer.backing : 0, 20);
    this.#record.writeUInt32LE(count, 24);
    writeSync(this.#fd, this.#record, 0, slotSize, slot * slotSize);
  }

  #load(fd: number): void {
    const bytes = Buffer.alloc(fstatSync(fd).size);
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    this.#slots = Math.floor(length / slotSize);
    for (let slot = 0; slot < this.#slots; slot++) {
      const record = bytes.subarray(slot * slotSize, (slot + 1) * slotSize);
      const mode = modes[record.readUInt32LE(16)];
      const count = record.readUInt32LE(24);
      if (count === 0 || mode === undefined) {
        this.#free.push(slot);
        continue;
      }
      const answer: OpenAnswer =
        mode === 'passthrough' ? { mode, backing: record.readInt32LE(20) } : { mode };
      this.#files.set(record.readDoubleLE(0), { answer, count, unique: record.readBigUInt64LE(8), slot });
    }
  }
}

/** Whether a request was counted by a server that died before it answered. */
function isRepeated({ unique }: OpenFile, again: bigint): boolean {
  return unique === (again & ~resentBit);
}
