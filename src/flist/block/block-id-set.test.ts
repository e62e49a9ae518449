import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '../../base/digest.ts';
import { BlockIdSet } from './block-id-set.ts';

test('holds what was added, once, and nothing else', () => {
  const some = fc.array(
    fc.nat(60).map((n) => sha256(`${n}`)),
    { maxLength: 100 },
  );
  fc.assert(
    fc.property(some, some, (added, asked) => {
      const expected = new Set<string>();
      const set = new BlockIdSet();
      for (const id of added) {
        expect(set.add(id)).toBe(!expected.has(id));
        expected.add(id);
      }
      expect(set.size).toBe(expected.size);
      expect([...set].sort()).toEqual([...expected].sort());
      for (const id of asked) expect(set.has(id)).toBe(expected.has(id));
    }),
  );
});

test('grows, also with ids that differ in one digit only', () => {
  const ids = Array.from({ length: 5000 }, (_, i) => i.toString(16).padStart(4, '0') + '0'.repeat(60));
  const set = new BlockIdSet();
  for (const id of ids) set.add(id);
  expect(set.size).toBe(5000);
  expect(ids.every((id) => set.has(id))).toBe(true);
  expect([...set].sort()).toEqual(ids);
});
