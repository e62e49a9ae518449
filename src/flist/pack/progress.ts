/** How far a pack is. */
export interface PackCounts {
  /** Regular files; each name of a hard-linked one counts. */
  readonly files: number;
  /** Plain bytes of all files; a file with several names counts once. */
  readonly bytes: number;
  /** Blocks of all files; equal ones count each time. */
  readonly blocks: number;
  /** Files that were not read, since they are those of the previous manifest, and their bytes. */
  readonly unchangedFiles: number;
  readonly unchangedBytes: number;
  /** Entries that are in the manifest. */
  readonly written: number;
  /** What is to be read in all, as soon as all files are found. */
  readonly bytesToRead: number | undefined;
  /** What was read so far. */
  readonly bytesRead: number;
}

/** Counts for `PackPipeline`. */
export class PackProgress {
  readonly #report: (counts: PackCounts) => void;
  #files = 0;
  #found = 0;
  #foundAll = false;
  #read = 0;
  #blocks = 0;
  #unchangedFiles = 0;
  #unchangedBytes = 0;
  #written = 0;

  constructor(report: (counts: PackCounts) => void = () => {}) {
    this.#report = report;
  }

  get counts(): PackCounts {
    return {
      files: this.#files,
      bytes: this.#read + this.#unchangedBytes,
      blocks: this.#blocks,
      unchangedFiles: this.#unchangedFiles,
      unchangedBytes: this.#unchangedBytes,
      written: this.#written,
      bytesToRead: this.#foundAll ? this.#found : undefined,
      bytesRead: this.#read,
    };
  }

  foundFile(): void {
    this.#files++;
  }

  foundBytes(size: number): void {
    this.#found += size;
  }

  foundAll(): void {
    this.#foundAll = true;
  }

  unchanged(size: number, blocks: number): void {
    this.#unchangedFiles++;
    this.#unchangedBytes += size;
    this.#blocks += blocks;
  }

  read(size: number, blocks: number): void {
    this.#read += size;
    this.#blocks += blocks;
  }

  /** To be called some times a second and more: a report costs more than a count. */
  report(): void {
    this.#report(this.counts);
  }

  /** What was read is not what will be packed. */
  readInVain(size: number, blocks: number): void {
    this.#read -= size;
    this.#found -= size;
    this.#blocks -= blocks;
  }

  wrote(): void {
    if (++this.#written % 1000 === 0) this.#report(this.counts);
  }
}
