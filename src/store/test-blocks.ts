import { randomBytes } from 'node:crypto';
import { loadBlake2b } from '../base/blake2b.ts';
import type { BlockId } from './store.ts';

const blake2b = await loadBlake2b();

/** Stored bytes under their right name. */
export interface TestBlock {
  readonly id: BlockId;
  readonly blob: Uint8Array;
}

/** A block of these bytes. */
export function blockOf(content: string | Uint8Array): TestBlock {
  const blob = Uint8Array.from(typeof content === 'string' ? Buffer.from(content) : content);
  return { id: blake2b(blob), blob };
}

/** Different small blocks. */
export function someBlocks(count: number): TestBlock[] {
  return Array.from({ length: count }, (_, index) => blockOf(`block ${index} of ${count}`));
}

/** A block of noise, which nothing makes smaller. */
export function noiseBlock(size: number): TestBlock {
  return blockOf(randomBytes(size));
}
