import { closeSync, constants, openSync, readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { GrowingArray } from '../base/growing-array.ts';
import { type CacheDirectory, openPlainly } from './cache-directory.ts';
import { quiet, readWhole, writeFully } from './cache-files.ts';
import { NameTable, shortName } from './name-table.ts';
import { digestSize } from './plain-file.ts';

const shard = ['state', 'held'] as const;

/**
 * Which files a thread holds open, for those who evict: a file `state/held/PROCESS-THREAD` with the name of each, 32 bytes, and
 * zeros where there is none any more. It counts as long as the process lives.
 */
export class Holds {
  readonly #directory: CacheDirectory;
  /** What is in the file. */
  readonly #names = new GrowingArray(Uint8Array);
  readonly #free: number[] = [];
  #file: number | undefined;
  #path: string | undefined;

  constructor(directory: CacheDirectory) {
    this.#directory = directory;
  }

  /** @returns what `release` takes. */
  hold(name: string): number {
    const slot = this.#free.pop() ?? this.#names.extend(digestSize) / digestSize;
    this.#nameIn(slot).write(name, 'hex');
    this.#write(slot);
    return slot;
  }

  /** @returns the name that was held. */
  release(slot: number): string {
    const held = this.#nameIn(slot);
    const name = held.toString('hex');
    held.fill(0);
    this.#write(slot);
    this.#free.push(slot);
    return name;
  }

  /** Ends all holds. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    quiet(() => this.#path !== undefined && unlinkSync(this.#path));
    this.#file = undefined;
  }

  /** Where the cache cannot be written nobody can evict either. */
  #write(slot: number): void {
    quiet(() => {
      this.#file ??= this.#create();
      writeFully(this.#file, this.#nameIn(slot), slot * digestSize);
    });
  }

  #nameIn(slot: number): Buffer {
    return Buffer.from(this.#names.array.buffer, slot * digestSize, digestSize);
  }

  #create(): number {
    return this.#directory.within(shard, true, (path) => {
      const file = `${path}/${processName(process.pid)}-${threadId}`;
      this.#path = `${this.#directory.path}/${shard.join('/')}/${processName(process.pid)}-${threadId}`;
      quiet(() => unlinkSync(file));
      return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | openPlainly, 0o644);
    });
  }
}

/** The names of all files that living processes hold. What dead ones left is removed. */
export function heldNames(directory: CacheDirectory): NameTable {
  const held = new NameTable();
  quiet(() =>
    directory.within(shard, false, (path) => {
      for (const file of readdirSync(path)) {
        const [, owner, pid] = /^((\d+)-.+)-\d+$/.exec(file) ?? [];
        if (owner !== processName(Number(pid))) quiet(() => unlinkSync(`${path}/${file}`));
        else readHeld(`${path}/${file}`, held);
      }
    }),
  );
  return held;
}

/** Removes what processes left that ended without removing it themselves. */
export function removeDeadHolds(directory: CacheDirectory): void {
  heldNames(directory);
}

function readHeld(path: string, held: NameTable): void {
  const bytes = quiet(() => readWhole(path));
  for (let at = 0; bytes !== undefined && at + digestSize <= bytes.length; at += digestSize) {
    const name = shortName(bytes.toString('hex', at, at + 8));
    if (name[0] !== 0 || name[1] !== 0) held.set(name, 1);
  }
}

/** What tells a process from all that had its number before; undefined when there is none of that number, or its parent has only to take note of its end. */
function processName(pid: number): string | undefined {
  return quiet(() => {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // From the third field on (proc(5)); the second may hold any character, and ends with the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return state === 'Z' ? undefined : `${pid}-${started}-${boot}`;
  });
}
