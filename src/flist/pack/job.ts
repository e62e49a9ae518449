import type { FileState } from '../../tree/content.ts';

/** Part of a file that a thread reads by itself, which is not larger than a job; it begins where a block begins. */
export interface FilePiece {
  /** A path as `decodeName` gives it. */
  readonly file: string;
  readonly offset: number;
  readonly size: number;
  /** What the file must be before and after it is read; a file that holds more than this content has none. */
  readonly whole?: { readonly size: number; readonly state?: FileState | undefined };
}

/** Bytes that are already in memory: one block. */
export interface BytesPiece {
  /** They leave the main thread with the job. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
}

export type Piece = FilePiece | BytesPiece;

/** What a thread does at one time. */
export interface PackJob {
  readonly pieces: readonly Piece[];
}

/** A block that no job had met before. */
export interface AddedBlock {
  /** Its place in the table of blocks. */
  readonly place: number;
  /** Its stored bytes, where the main thread puts them into the store. */
  readonly blob?: Uint8Array<ArrayBuffer>;
  /** Its file in a directory store, which waits for its name. */
  readonly temporary?: string | undefined;
  readonly storedSize: number;
}

/** A piece that could not be read. */
export interface PieceProblem {
  readonly piece: number;
  /** `changed`: the file is not what it was, or gone; looking again may help. */
  readonly why: 'changed' | 'unreadable';
  readonly cause: string;
}

export interface JobResult {
  /** The places of the blocks of all pieces, in their order; those of a piece with a problem mean nothing. */
  readonly places: Uint32Array<ArrayBuffer>;
  readonly added: readonly AddedBlock[];
  readonly problems: readonly PieceProblem[];
}

/** Pieces in one job: enough that messages cost nothing, and few enough that the threads end together. */
export const jobPieces = 256;
/** Plain bytes in one job. */
export const jobBytes = 4 << 20;
/** Plain bytes in one job whose blocks go back to the main thread, where they take memory until they are stored. */
export const carriedJobBytes = 1 << 20;
