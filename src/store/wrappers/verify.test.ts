import { expect, test } from 'vitest';
import { Failure } from '../../base/errors.ts';
import { MemoryStore } from '../memory.ts';
import { someBlocks, type TestBlock } from '../test-blocks.ts';
import { VerifiedStore, verifyId } from './verify.ts';

const [block, other] = someBlocks(2) as [TestBlock, TestBlock];

test('a block with other bytes than its id says is not given out, and the store is named', async () => {
  const memory = new MemoryStore();
  await memory.put(block.id, other.blob);
  await expect(new VerifiedStore(memory).get(block.id)).rejects.toMatchObject({
    kind: 'corrupt',
    message: `memory:: block ${block.id} is damaged`,
    hint: expect.anything(),
  });
});

test('a block with other bytes than its id says is not let in', async () => {
  const memory = new MemoryStore();
  await expect(new VerifiedStore(memory).put(block.id, other.blob)).rejects.toMatchObject({
    kind: 'corrupt',
  });
  expect(await memory.has(block.id)).toBe(false);
});

test.each([0, 1, 7])('bit %i of a block counts', async (bit) => {
  const changed = Uint8Array.from(block.blob);
  changed[changed.length - 1]! ^= 1 << bit;
  await expect(async () => verifyId(block.id, changed)).rejects.toMatchObject({ kind: 'corrupt' });
  await verifyId(block.id, block.blob);
});

test('an error of the check itself is passed on as it is', async () => {
  const memory = new MemoryStore();
  await memory.put(block.id, block.blob);
  const broken = new VerifiedStore(memory, () => {
    throw new TypeError('a mistake');
  });
  const error = await broken.get(block.id).catch((error) => error);
  expect(error).toBeInstanceOf(TypeError);
  expect(error).not.toBeInstanceOf(Failure);
});
