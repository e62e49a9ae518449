import { describe, expect, test } from 'vitest';
import { loadBlake2b } from '../../base/blake2b.ts';
import { openS3, s3At } from './test-s3.ts';

const blob = Buffer.from('blob');
const id = (await loadBlake2b())(blob);
const hour = 3_600_000;
const yesterday = () => new Date(Date.now() - 24 * hour);
const puts = (requests: readonly string[]) => requests.filter((line) => line.startsWith('PUT')).length;

describe('blocks in a bucket', () => {
  test('that are old are swept, and those that were claimed are not, though they were old', async () => {
    const { store, stub } = await openS3({}, '/pre fix/deep');
    await store.put(id, blob);
    const key = `pre fix/deep/${id}`;
    stub.modified.set(key, yesterday());
    expect(await store.upkeep.stat(id)).toMatchObject({ size: blob.length });
    expect(await store.claim(id)).toBe(true);
    expect(await store.upkeep.sweep(id, Date.now() - 2 * hour)).toBe(false);
    expect(await store.get(id)).toEqual(blob);
    stub.modified.set(key, yesterday());
    expect(await store.upkeep.sweep(id, Date.now() - 2 * hour)).toBe(true);
    expect(stub.objects.size).toBe(0);
    expect(await store.claim(id)).toBe(false);
  });

  test('that are young are claimed with one request', async () => {
    const { store, stub } = await openS3();
    await store.put(id, blob);
    const before = stub.requests.length;
    expect(await store.claim(id)).toBe(true);
    expect(stub.requests.slice(before)).toEqual([expect.stringContaining('HEAD')]);
  });

  test('that the server does not renew are to be put again', async () => {
    let refusing = false;
    const fault = ({ method }: { method: string }) =>
      refusing && method === 'PUT' ? ({ code: 'NotImplemented', status: 501 } as const) : undefined;
    const { store, stub } = await openS3({ fault });
    await store.put(id, blob);
    stub.modified.set(id, yesterday());
    refusing = true;
    expect(await store.claim(id)).toBe(false);
    expect(puts(stub.requests)).toBe(2);
  });

  test('of a server that keeps quiet about missing ones are asked for as by `has`', async () => {
    const { store } = await openS3({ mayList: false });
    expect(await store.claim(id)).toBe(false);
    await store.put(id, blob);
    expect(await store.claim(id)).toBe(true);
  });

  test('whose age may not be asked are a failure for who would remove them', async () => {
    const { stub } = await openS3();
    stub.objects.set(id, blob);
    await expect(s3At(stub).upkeep.stat(id)).rejects.toMatchObject({ kind: 'denied' });
  });
});
