import { constants } from 'node:os';
import type { HeldFile, OpenedWhole } from '../cache/file-cache.ts';
import * as kernel from '../fuse/backing.ts';
import { FuseError } from '../fuse/fuse-error.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import type { OpenFiles } from '../fuse/open-files.ts';
import type { Errno } from '../fuse/protocol.ts';
import type { OpenAnswer } from '../fuse/reply.ts';

/** How the files of a mount are opened. */
export interface FileOpener {
  /** A file that nobody has open. ENOSYS makes the kernel open files by itself from now on. */
  open(node: number): OpenAnswer | Errno;
  /** Nobody has the file open any more. */
  release(node: number, answer: OpenAnswer): void;
}

/** Every opening is a question, and the kernel keeps the pages. */
export const cachedOpener: FileOpener = { open: () => ({ mode: 'cached' }), release: () => {} };

/** Files that lie whole in the cache. */
export interface WholeFiles {
  /** Whether a file is worth it. */
  isLarge(node: number): boolean;
  /** As `FileCache.openWhole`. */
  open(node: number): OpenedWhole | undefined;
  /** As `FileCache.hold`. */
  hold(node: number): HeldFile;
  /** A file that could not be given may be wanted again: it may take some work to make it whole. */
  prepare(node: number): void;
}

export interface PassthroughOptions {
  readonly device: number;
  readonly files: WholeFiles;
  /** Takes a line when the kernel takes no files after all. */
  readonly log: (line: string) => void;
  /** What gives files to the kernel; another one for tests. */
  readonly backing?: Pick<typeof kernel, 'openBacking' | 'closeBacking'>;
}

/** Gives the kernel large files that are whole in the cache, to read them by itself. */
export class PassthroughOpener implements FileOpener {
  readonly #options: PassthroughOptions;
  readonly #backing: NonNullable<PassthroughOptions['backing']>;
  /** What keeps files in the cache, by node. */
  readonly #holds = new Map<number, HeldFile>();
  #state: 'not agreed' | 'agreed' | 'refused' = 'not agreed';
  #hasFailed = false;

  constructor(options: PassthroughOptions) {
    this.#options = options;
    this.#backing = options.backing ?? kernel;
  }

  /**
   * The session has started.
   * @param openFiles what a server before this one opened; its files are held for it
   */
  start({ features }: NegotiatedSession, openFiles: OpenFiles): void {
    if (features.includes('passthrough')) this.#state = 'agreed';
    for (const [node, { mode }] of openFiles)
      if (mode === 'passthrough') this.#holds.set(node, this.#options.files.hold(node));
  }

  open(node: number): OpenAnswer | Errno {
    // Nothing was ever given, so the kernel does better without questions.
    if (this.#state === 'not agreed') return constants.errno.ENOSYS;
    if (this.#state === 'refused' || !this.#options.files.isLarge(node)) return { mode: 'cached' };
    const whole = this.#options.files.open(node);
    if (whole === undefined) {
      this.#options.files.prepare(node);
      return { mode: 'cached' };
    }
    try {
      const backing = this.#backing.openBacking(this.#options.device, whole.descriptor);
      whole.closeDescriptor();
      this.#holds.set(node, whole);
      return { mode: 'passthrough', backing };
    } catch (error) {
      whole.close();
      if (!(error instanceof FuseError)) throw error;
      this.#refused(error);
      return { mode: 'cached' };
    }
  }

  /** One file that the kernel did not take says nothing of others; that it takes none, it says of all. */
  #refused({ kind, message }: FuseError): void {
    if (kind !== 'failed') this.#state = 'refused';
    else if (this.#hasFailed) return;
    else this.#hasFailed = true;
    this.#options.log(kind === 'failed' ? message : `files are not passed through: ${message}`);
  }

  release(node: number, answer: OpenAnswer): void {
    if (answer.mode !== 'passthrough') return;
    this.#backing.closeBacking(this.#options.device, answer.backing);
    this.#holds.get(node)?.close();
    this.#holds.delete(node);
  }
}
