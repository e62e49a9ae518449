import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { BlockMemory, BlockMemoryOwner, type Slot } from './block-memory.ts';
import { type TestFiles, testFiles } from './test-columns.ts';

let files: TestFiles;
const contents = Array.from({ length: 400 }, (_, i) => Buffer.from(`content ${i}`));

beforeAll(async () => {
  files = await testFiles([...contents, contents[0]!, randomBytes(600_000)]);
});

/** The two sides of one memory; the owner calls a block by the number of its place. */
function memories(isWanted: (place: number) => boolean = () => false) {
  const shared = BlockMemory.share();
  const evicted: [place: number, wasUsed: boolean][] = [];
  const owner = new BlockMemoryOwner<number>(shared, {
    isWanted,
    onEvict: (place, wasUsed) => void evicted.push([place, wasUsed]),
  });
  const memory = new BlockMemory(structuredClone(shared), files.columns); // as another thread has it
  const allocate = (place: number, isAhead = false) =>
    owner.allocate(place, {
      place,
      size: contents[place]!.length,
      isAhead,
      isMarked: isAhead,
      mayDisplace: !isAhead,
    });
  const fill = (slot: Slot, place: number) => {
    contents[place]!.copy(memory.bytes(slot));
    memory.publish(slot);
    memory.unpin(slot);
  };
  const put = (place: number, isAhead = false) => {
    const slot = allocate(place, isAhead);
    if (slot !== undefined) fill(slot, place);
    return slot;
  };
  const find = (place: number) => {
    const slot = memory.pin(place, contents[place]!.length);
    if (slot === undefined) return undefined;
    const text = String(memory.bytes(slot));
    memory.unpin(slot);
    return text;
  };
  return { memory, owner, evicted, allocate, fill, put, find };
}

test('a block is found by its place once it is filled, and by others with an equal block', () => {
  const { memory, owner, allocate, fill, find } = memories();
  const slot = allocate(0)!;
  expect(find(0)).toBeUndefined();
  fill(slot, 0);
  expect(find(0)).toBe('content 0');
  expect(find(1)).toBeUndefined();
  expect(memory.pin(0, contents[0]!.length - 1)).toBeUndefined(); // a manifest that lies about its size
  expect(memory.pin(400, contents[0]!.length)).toBeUndefined();
  owner.alsoAt(400, slot);
  expect(memory.pin(400, contents[0]!.length)).toBe(slot);
  owner.alsoAt(1, slot); // a place with another block never gets these bytes
  expect(find(1)).toBeUndefined();
});

test('the oldest blocks go first, but not those that are read, wanted, or were never used', () => {
  const { memory, evicted, put, find } = memories((place) => place === 3);
  for (let place = 0; place < 256; place++) put(place, place < 3);
  const pinned = memory.pin(4, contents[4]!.length)!;
  put(256);
  put(257);
  expect(evicted).toEqual([
    [5, true],
    [6, true],
  ]);
  expect([find(3), find(4), find(5), find(256)]).toEqual([
    'content 3',
    'content 4',
    undefined,
    'content 256',
  ]);
  memory.unpin(pinned);
});

test('what nobody has asked for takes no place from what was not used yet; what was asked for does', () => {
  const { evicted, put } = memories();
  for (let place = 0; place < 256; place++) put(place, true);
  expect(put(256, true)).toBeUndefined();
  expect(put(257)).toBeDefined();
  expect(evicted).toEqual([[0, false]]);
});

test('the first use of a marked block is told once', () => {
  const { memory, put } = memories();
  put(0, true);
  const slot = memory.pin(0, contents[0]!.length)!;
  expect([memory.use(slot), memory.use(slot)]).toEqual([true, false]);
});

test('who waits for a block is told, whether he comes before or after it is filled', () => {
  const { memory, owner, allocate } = memories();
  const before = allocate(0)!;
  expect(owner.await(before)).toBe(false);
  expect(memory.publish(before)).toBe(true);
  const after = allocate(1)!;
  expect(memory.publish(after)).toBe(false);
  expect(owner.await(after)).toBe(true);
});

test('a slot that was given up is used again, one that was filled after all is not given up', () => {
  const { owner, allocate, put, find } = memories();
  owner.abandon(allocate(0)!);
  expect(find(0)).toBeUndefined();
  for (let place = 1; place <= 256; place++) expect(put(place, true)).toBeDefined();
  const slot = put(257)!;
  owner.abandon(slot);
  expect(find(257)).toBe('content 257');
});
