import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GrowingArray, GrowingNumbers } from './growing-array.ts';
import { GrowingText } from './growing-text.ts';
import { encodeName } from './names.ts';
import { TextList } from './text-list.ts';

test.each([
  new GrowingArray(Uint8Array),
  new GrowingArray(Uint32Array),
  new GrowingArray(Float64Array),
])('an array grows as far as needed, and keeps what is in it', (numbers) => {
  const count = 200_000;
  for (let i = 0; i < count; i++) numbers.push(i % 251);
  const first = numbers.extend(3);
  expect([first, numbers.length]).toEqual([count, count + 3]);
  expect(numbers.done().every((value, i) => value === (i < count ? i % 251 : 0))).toBe(true);
});

test('an array that is large grows in its place, so that no memory is used twice', () => {
  const numbers = new GrowingArray(Uint32Array);
  numbers.extend(100_000);
  const { buffer } = numbers.array;
  numbers.extend(1_000_000);
  expect(numbers.array.buffer).toBe(buffer);
  expect(numbers.done().length).toBe(1_100_000);
});

test('texts lie one behind the other as their bytes', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\udcff'), fc.uint8Array());
  fc.assert(
    fc.property(fc.array(text, { size: '+1' }), (texts) => {
      const grown = new GrowingText();
      const starts = texts.map((each) => grown.append(each));
      const expected = texts.map((each) => (typeof each === 'string' ? encodeName(each) : each));
      expect(Buffer.compare(Buffer.concat(expected), grown.done())).toBe(0);
      let next = 0;
      for (const [i, { length }] of expected.entries()) {
        expect(starts[i]).toBe(next);
        next += length;
      }
    }),
  );
});

test('a list of texts gives them back in their order', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('\udcff'), fc.constant(''));
  fc.assert(
    fc.property(fc.array(text), (texts) => {
      const list = new TextList();
      for (const each of texts) list.add(each);
      expect([...list]).toEqual(texts);
      expect([list.length, list.size]).toEqual([texts.length, Buffer.concat(texts.map(encodeName)).length]);
    }),
  );
});

test('numbers take 32 bits each until one does not fit, and stay what they are', () => {
  const number = fc.oneof(fc.nat(), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, 0.5, 0));
  fc.assert(
    fc.property(fc.array(number), (values) => {
      const numbers = new GrowingNumbers();
      for (const value of values) numbers.push(value);
      const isNarrow = values.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32);
      expect(numbers.done()).toEqual((isNarrow ? Uint32Array : Float64Array).from(values));
    }),
  );
});
