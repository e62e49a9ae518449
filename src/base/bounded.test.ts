import { expect, test } from 'vitest';
import { bounded } from './bounded.ts';

const source = () => [Buffer.from('abc'), Buffer.of(), Buffer.from('def')];

test('bytes pass up to the limit, and not one more', async () => {
  let passed: Uint8Array[] = [];
  const pass = async (limit: number) => {
    for await (const chunk of bounded(source(), limit, 'the file x')) passed.push(chunk);
  };
  await pass(6);
  expect(Buffer.concat(passed).toString()).toBe('abcdef');
  passed = [];
  await expect(pass(5)).rejects.toMatchObject({ kind: 'hostile', message: 'the file x is larger than 5 B' });
  expect(Buffer.concat(passed).toString()).toBe('abc');
});
