import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockMemory } from './block-memory.ts';

const block = (size: number) => new Uint8Array(size);

test('the block used longest ago goes first', () => {
  const memory = new BlockMemory(20);
  memory.set('a', block(10));
  memory.set('b', block(10));
  memory.get('a');
  memory.set('c', block(10));
  expect(['a', 'b', 'c'].filter((key) => memory.get(key))).toEqual(['a', 'c']);
});

test('a block that is larger than all the room is not kept', () => {
  const memory = new BlockMemory(5);
  memory.set('a', block(6));
  expect(memory.get('a')).toBeUndefined();
});

test('never more bytes than the limit are held, and the newest block that fits is', () => {
  const sets = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(40)));
  fc.assert(
    fc.property(sets, (operations) => {
      const memory = new BlockMemory(50);
      for (const [key, size] of operations) {
        memory.set(key, block(size));
        const held = ['a', 'b', 'c', 'd'].map((name) => memory.get(name)?.length ?? 0);
        expect(held.reduce((sum, length) => sum + length)).toBeLessThanOrEqual(50);
        expect(memory.get(key)?.length).toBe(size);
      }
    }),
  );
});
