import dns from 'node:dns';
import { setImmediate } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { describeError, type Failure } from '../../base/errors.ts';
import { parseStoreUrl } from '../route.ts';
import { storedBlockLimit } from '../store.ts';
import { S3Store } from './s3.ts';
import type { StubFault } from './s3-stub.fixture.ts';
import { openS3, s3At, serveS3 } from './test-s3.ts';

const id = `ab${'0'.repeat(62)}`;
const other = `cd${'1'.repeat(62)}`;
const blob = Buffer.from('blob');
const environment = { HOME: '/nonexistent' };

async function listed(store: S3Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids;
}

/** All that a store can be asked for: of a block that may be there, and of one that is not. */
const everything: readonly ((store: S3Store) => Promise<unknown>)[] = [
  (store) => store.get(id),
  (store) => store.get(other),
  (store) => store.has(id),
  (store) => store.has(other),
  (store) => store.put(other, blob),
  (store) => store.delete(id),
  listed,
];

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it did not fail'),
    (error: Failure) => error,
  );

test('a block is an object under its id, below the prefix', async () => {
  const { store, stub } = await openS3();
  await store.put(id, blob);
  const below = s3At(stub, 'AK:SK@', '/a%20b/+c/');
  await below.put(other, blob);
  expect([...stub.objects.keys()]).toEqual([id, `a b/+c/${other}`]);
  expect(stub.requests).toEqual([`PUT /blocks/${id}`, `PUT /blocks/a%20b/%2Bc/${other}`]);
  expect(await listed(store)).toEqual([id]);
  expect(await listed(below)).toEqual([other]);
});

test('a put, a get, and asking for a block that is there, are one request each', async () => {
  const { store, stub } = await openS3();
  await store.put(id, blob);
  await store.get(id);
  await store.has(id);
  expect(stub.requests.map((line) => line.split(' ')[0])).toEqual(['PUT', 'GET', 'HEAD']);
});

test('that blocks are not there costs one request each, once the reason is known', async () => {
  const { store, stub } = await openS3();
  for (let nth = 0; nth < 3; nth++) expect(await store.has(id)).toBe(false);
  expect(stub.requests.map((line) => line.split(' ')[0])).toEqual(['HEAD', 'GET', 'HEAD', 'HEAD']);
});

test('a list of many pages is read to its end, without what is no block or lies deeper', async () => {
  const { store, stub } = await openS3({}, '/p', { pageSize: 3 });
  const ids = Array.from({ length: 10 }, (_, nth) => `${nth}`.repeat(64));
  for (const id of ids) stub.objects.set(`p/${id}`, blob);
  for (const key of [id, `p/q/${id}`, `pp/${id}`, 'p/note & <x>', `p/${id}0`]) stub.objects.set(key, blob);
  expect(await listed(store)).toEqual(ids);
  expect(stub.requests).toHaveLength(5);
  expect(stub.requests[0]).toContain('max-keys=3');
});

test('the bucket is the first name of the host when the address asks for that', async () => {
  const stub = await serveS3();
  const lookup = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(((_: string, options: unknown, done: never) =>
      (done as (error: null, ...found: unknown[]) => void)(
        null,
        ...((options as { all?: boolean }).all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4]),
      )) as never);
  const url = parseStoreUrl(`s3://AK:SK@s3.test:${stub.port}/blocks/p?style=virtual`);
  const store = new S3Store(url, { environment });
  await store.put(id, blob);
  expect(await listed(store)).toEqual([id]);
  expect(lookup.mock.calls[0]![0]).toBe('blocks.s3.test');
  expect(stub.requests[0]).toBe(`PUT /p/${id}`);
  lookup.mockRestore();
});

test.each([
  ['s3://h', 'bucket'],
  ['s3://h/', 'bucket'],
  ['s3:///blocks', 'server'],
  ['s3://h/blocks?style=vrtual', 'style=path'],
  ['s3://h/blocks?sign=maybe', 'sign=yes'],
  ['s3://h/blocks?regoin=x', 'region'],
  ['s3://h/blocks?credentials=hush', 'region, style'],
  ['s3://127.0.0.1/blocks?style=virtual', 'style=path'],
  ['s3://AK:12/hush@h:9000/blocks', '%2F'],
])('the address %s is a usage error that shows no secret', (text, said) => {
  const open = () => new S3Store(parseStoreUrl(text));
  const usage = { kind: 'usage', hint: expect.anything() };
  expect(open).toThrow(expect.objectContaining(usage));
  try {
    open();
  } catch (error) {
    const shown = `${describeError(error)} ${(error as Failure).hint}`;
    expect(shown).toContain(said);
    expect(shown).not.toContain('hush');
  }
});

test.each([
  ['escaped', 's%2Fe+c%3Dr%25t'],
  ['as it is', 's/e+c=r%t'],
])('a secret key with special characters works %s in the address', async (_, written) => {
  const stub = await serveS3({ secrets: { AK: 's/e+c=r%t' } });
  await s3At(stub, `AK:${written}@`).put(id, blob);
  expect(stub.objects.size).toBe(1);
});

test('a secret key that rfs took with its escapes works too, and is tried once', async () => {
  const stub = await serveS3({ secrets: { AK: 'a%2Fb' } });
  const store = s3At(stub, 'AK:a%2Fb@');
  expect(await store.has(id)).toBe(false);
  await store.put(id, blob);
  await store.get(id);
  expect(stub.requests.map((line) => line.split(' ')[0])).toEqual(['HEAD', 'GET', 'GET', 'PUT', 'GET']);
});

test('a session token comes along, signed', async () => {
  const stub = await serveS3({ sessionToken: 'token' });
  const keys = { AWS_ACCESS_KEY_ID: 'AK', AWS_SECRET_ACCESS_KEY: 'SK' };
  await s3At(stub, '', '', { environment: { ...keys, AWS_SESSION_TOKEN: 'token' } }).put(id, blob);
  const without = s3At(stub, '', '', { environment: keys });
  await expect(without.get(id)).rejects.toMatchObject({
    kind: 'denied',
    hint: expect.stringContaining('the environment'),
  });
});

test('a public bucket is read without keys, and not written', async () => {
  const stub = await serveS3({ anonymous: 'read' });
  stub.objects.set(id, blob);
  const store = s3At(stub);
  expect(await store.get(id)).toEqual(blob);
  expect(await store.has(other)).toBe(false);
  expect(await listed(store)).toEqual([id]);
  await expect(store.put(other, blob)).rejects.toMatchObject({
    kind: 'denied',
    hint: expect.stringContaining('not signed'),
  });
});

test.each([
  ['a wrong secret key', 'AK:wrong-secret@'],
  ['an access key that nobody has', 'wrong-secret:SK@'],
  ['no keys', ''],
])('%s is denied, whatever is asked for, and never shown', async (_, user) => {
  const stub = await serveS3();
  stub.objects.set(id, blob);
  for (const what of everything) {
    const failure = await failureOf(what(s3At(stub, user)));
    expect(failure).toMatchObject({ kind: 'denied', hint: expect.anything() });
    expect(`${describeError(failure)} ${failure.hint} ${failure.stack}`).not.toContain('wrong-secret');
  }
  expect(stub.objects.size).toBe(1);
});

test('where the bucket may not be listed, a block that is refused is one that is not there, once another was read', async () => {
  const { store, stub } = await openS3({ mayList: false });
  await expect(store.get(other)).rejects.toMatchObject({ kind: 'denied' });
  expect(await store.has(other)).toBe(false);
  await store.put(id, blob);
  await store.get(id);
  await expect(store.get(other)).rejects.toMatchObject({ kind: 'not-found' });
  await expect(listed(store)).rejects.toMatchObject({ kind: 'denied' });
  expect(stub.objects.size).toBe(1);
});

test('a bucket that is not there is a mistake in the configuration, not a missing block', async () => {
  const stub = await serveS3({ bucket: 'elsewhere' });
  const store = s3At(stub, 'AK:SK@');
  for (const what of everything)
    await expect(what(store)).rejects.toMatchObject({
      kind: 'config',
      hint: expect.stringContaining('bucket blocks'),
    });
});

test('a wrong region is a mistake in the configuration, and the right one is named', async () => {
  const { store } = await openS3({ region: 'garage' });
  await expect(store.get(id)).rejects.toMatchObject({
    kind: 'config',
    hint: expect.stringContaining('?region=garage'),
  });
  const right = await openS3({ region: 'garage' }, '?region=garage');
  await right.store.put(id, blob);
});

test('a clock that is wrong is denied, with how wrong it is', async () => {
  const now = () => new Date(Date.now() - 3600_000);
  const { store } = await openS3({}, '', { now });
  const { kind, hint } = await failureOf(store.get(id));
  expect(kind).toBe('denied');
  expect(hint).toMatch(/clock of this machine \(3[56]\d\d seconds behind/);
});

test.each<[StubFault, string]>([
  [{ status: 500, code: 'InternalError' }, 'unavailable'],
  [{ status: 503, code: 'SlowDown' }, 'unavailable'],
  [{ status: 429, code: '' }, 'unavailable'],
  [{ status: 400, code: 'RequestTimeout' }, 'unavailable'],
  [{ status: 301, code: 'PermanentRedirect' }, 'config'],
  [{ status: 401, code: '' }, 'denied'],
  [{ status: 409, code: 'OperationAborted' }, 'failed'],
  ['reset', 'unavailable'],
  ['truncate', 'unavailable'],
  ['endless', 'corrupt'],
])('to get a block that the server answers with %j is %s', async (fault, kind) => {
  const { store, stub } = await openS3({ fault: () => fault });
  stub.objects.set(id, blob);
  const failure = await failureOf(store.get(id));
  expect(failure).toMatchObject({ kind, message: expect.stringContaining(store.address) });
});

test.each<[StubFault, string]>([
  [{ status: 503, code: 'SlowDown' }, 'unavailable'],
  [{ status: 400, code: 'XAmzContentSHA256Mismatch' }, 'unavailable'],
  ['reset', 'unavailable'],
])('to put a block that the server answers with %j is %s', async (fault, kind) => {
  const { store } = await openS3({ fault: () => fault });
  await expect(store.put(id, blob)).rejects.toMatchObject({ kind });
});

test.each<[StubFault, string]>([
  ['garbage', 'corrupt'],
  ['endless', 'corrupt'],
  ['truncate', 'unavailable'],
  [{ status: 503, code: 'SlowDown' }, 'unavailable'],
])('a list that the server answers with %j is %s, and not a short one', async (fault, kind) => {
  const { store } = await openS3({ fault: ({ nth }) => (nth === 1 ? fault : undefined) }, '', {
    pageSize: 1,
  });
  await store.put(id, blob);
  await expect(listed(store)).rejects.toMatchObject({ kind });
});

test('what the server says is in the failure, without control characters', async () => {
  const { store } = await openS3({ fault: () => ({ status: 503, code: 'Slow&#27;[31mDown' }) });
  const failure = await failureOf(store.get(id));
  expect(describeError(failure)).toContain('Slow [31mDown: The stub says so.');
});

test('an object larger than any block is not read', async () => {
  const { store, stub } = await openS3();
  stub.objects.set(id, Buffer.alloc(storedBlockLimit + 1));
  await expect(store.get(id)).rejects.toMatchObject({ kind: 'corrupt' });
});

test('many blocks at once share connections', async () => {
  const { store, stub } = await openS3({ latency: 5 });
  const ids = Array.from({ length: 600 }, (_, nth) => nth.toString(16).padStart(64, '0'));
  await Promise.all(ids.map((id) => store.put(id, Buffer.from(id))));
  const read = await Promise.all(ids.map((id) => store.get(id)));
  expect(read.map((bytes) => Buffer.from(bytes).toString())).toEqual(ids);
  expect(stub.connections()).toBeLessThanOrEqual(256);
});

test.each([
  'hang',
  'hang-in-body',
] as const)('a task that is told to stop stops while the server does %j', async (fault) => {
  const { store, stub } = await openS3({ fault: () => fault });
  stub.objects.set(id, blob);
  const stop = new AbortController();
  const reason = new Error('told to stop');
  const tasks = [store.get(id, stop.signal), store.put(id, blob, stop.signal)];
  const ended = Promise.allSettled(tasks);
  while (stub.requests.length < tasks.length) await setImmediate();
  stop.abort(reason);
  for (const result of await ended) if (result.status === 'rejected') expect(result.reason).toBe(reason);
  expect(await ended).toContainEqual({ status: 'rejected', reason });
});
