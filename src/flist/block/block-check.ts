import { Failure } from '../../base/errors.ts';
import { type BlockRef, blockKey, decodeBlock, release } from './block-codec.ts';

/**
 * What a stored block turns out to be: `sound`; `missing`; `corrupt` when the bytes are not those that it is named by;
 * `mismatch` when they are, but do not decode to what the manifest says: then the manifest is wrong, or who packed it.
 */
export const blockStates = ['sound', 'missing', 'corrupt', 'mismatch'] as const;
export type BlockState = (typeof blockStates)[number];

/** Decodes a stored block and checks every step. `initBlockCodec` must have been awaited. */
export function checkBlock(blob: Uint8Array, ref: BlockRef, plainSize: number): BlockState {
  try {
    release(decodeBlock(blob, ref, plainSize));
    return 'sound';
  } catch (error) {
    if (!(error instanceof Failure && error.kind === 'corrupt')) throw error;
    return blockKey(blob) === ref.id ? 'mismatch' : 'corrupt';
  }
}
