import dns from 'node:dns';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { sha256 } from '../src/base/digest.ts';
import { httpSend } from '../src/base/http.ts';
import { readManifest } from '../src/flist/manifest/manifest.ts';
import { describeStore } from '../src/store/conformance.ts';
import { parseStoreUrl } from '../src/store/route.ts';
import { type S3Options, S3Store } from '../src/store/s3/s3.ts';
import { objectUrl, parseS3Address } from '../src/store/s3/s3-address.ts';
import { S3Client } from '../src/store/s3/s3-client.ts';
import { readRefusal } from '../src/store/s3/s3-refusal.ts';
import { emptyPayloadHash, signatureHeaders, signingKeyOf } from '../src/store/s3/sigv4.ts';
import { blockOf, someBlocks } from '../src/store/test-blocks.ts';
import { oracle, printed, rfs } from './shared/commands.ts';
import { measured, scratch, temporary } from './shared/projects.ts';
import { type Radosgw, startRadosgw } from './shared/radosgw.ts';

/** Keys with everything that is special in a URL. */
const owner = { name: 'owner', accessKey: 'OWNER', secretKey: 'owner/secret+with=%2F' };
const reader = { name: 'reader', accessKey: 'READER', secretKey: 'reader-secret' };
const ownerLogin = 'OWNER:owner%2Fsecret%2Bwith%3D%252F@';

const one = blockOf('one block');
const two = blockOf('another block');

let radosgw: Radosgw;

beforeAll(async () => {
  radosgw = await measured('radosgw from packages', async () =>
    startRadosgw(await scratch('radosgw'), [owner, reader]),
  );
  await ask('PUT', 'blocks');
  await ask('PUT', 'public');
  await ask('PUT', 'public', 'policy', policy('public', '*', ['s3:GetObject']));
  await ask('PUT', 'shared');
  await ask(
    'PUT',
    'shared',
    'policy',
    policy('shared', 'arn:aws:iam:::user/reader', ['s3:GetObject', 's3:PutObject']),
  );
});
afterAll(() => radosgw?.stop());

const urlOf = (where: string, login = ownerLogin) => `s3://${login}127.0.0.1:${radosgw.port}/${where}`;

function storeAt(where: string, login = ownerLogin, options: S3Options = {}): S3Store {
  return new S3Store(parseStoreUrl(urlOf(where, login)), {
    environment: { HOME: '/nonexistent' },
    ...options,
  });
}

/** A request of the owner about a bucket that is no store's business. */
async function ask(method: 'PUT' | 'DELETE', bucket: string, what = '', body = ''): Promise<void> {
  const place = parseS3Address(parseStoreUrl(urlOf(bucket)));
  const url = objectUrl(place, '');
  url.search = what === '' ? '' : `${what}=`;
  await new S3Client(bucket, place).run(`${method} ${what}`, undefined, async ({ ask, refused }) => {
    const { answer, refusal } = await ask({ method, url, body: Buffer.from(body) });
    if (refusal) throw refused(refusal);
    answer.discard();
  });
}

const policy = (bucket: string, who: string, actions: string[]) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: who === '*' ? '*' : { AWS: [who] },
        Action: actions,
        Resource: [`arn:aws:s3:::${bucket}/*`],
      },
    ],
  });

async function listed(store: S3Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids.sort();
}

let prefixes = 0;
const itself = <T>(store: T) => ({ store, seed: store });

describeStore('s3 on radosgw', async () => itself(storeAt(`blocks/prefix ${prefixes++}/+`)));

describe('a store on radosgw', () => {
  test('has its bucket in the name of the host, too', async () => {
    const lookup = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_: string, { all }: { all?: boolean }, done: never) =>
        (done as (error: null, ...found: unknown[]) => void)(
          null,
          ...(all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4]),
        )) as never);
    const url = `s3://${ownerLogin}s3.test:${radosgw.port}/blocks/virtual?style=virtual`;
    const store = new S3Store(parseStoreUrl(url));
    await store.put(one.id, one.blob);
    expect(await listed(store)).toEqual([one.id]);
    lookup.mockRestore();
    expect(await listed(storeAt('blocks/virtual'))).toEqual([one.id]);
  });

  test('lists what it holds page by page, and nothing of the stores beside and below it', async () => {
    const blocks = someBlocks(10);
    const store = storeAt('blocks/pages', ownerLogin, { pageSize: 3 });
    for (const { id, blob } of blocks) await store.put(id, blob);
    for (const where of ['blocks/pages/below', 'blocks/pages2', 'blocks'])
      await storeAt(where).put(one.id, one.blob);
    expect(await listed(store)).toEqual(blocks.map(({ id }) => id).sort());
    expect(await listed(storeAt('blocks'))).toEqual([one.id]);
    await store.delete(one.id);
    expect(await storeAt('blocks/pages/below').has(one.id)).toBe(true);
  });

  test.each([
    ['a wrong secret key', 'OWNER:wrong@'],
    ['an access key that nobody has', 'STRANGER:secret@'],
    ['no signature', ''],
  ])('denies everything to %s', async (_, login) => {
    await storeAt('blocks/denied').put(one.id, one.blob);
    const stranger = () => storeAt('blocks/denied', login);
    const denied = { kind: 'denied', hint: expect.anything() };
    await expect(stranger().get(one.id)).rejects.toMatchObject(denied);
    await expect(stranger().has(one.id)).rejects.toMatchObject(denied);
    await expect(stranger().has(two.id)).rejects.toMatchObject(denied);
    await expect(stranger().put(two.id, two.blob)).rejects.toMatchObject(denied);
    await expect(stranger().delete(one.id)).rejects.toMatchObject(denied);
    await expect(listed(stranger())).rejects.toMatchObject(denied);
    expect(await listed(storeAt('blocks/denied'))).toEqual([one.id]);
  });

  test('refuses a request whose signature, path or body was changed on its way', async () => {
    const region = { region: 'us-east-1', service: 's3' };
    const now = new Date();
    const key = signingKeyOf(owner.secretKey, region, now);
    const place = parseS3Address(parseStoreUrl(urlOf('blocks/tampered')));
    const url = objectUrl(place, `tampered/${one.id}`);
    const payloadHash = sha256(one.blob);
    const headers = { 'x-amz-content-sha256': payloadHash };
    const request = { method: 'PUT', url, headers, payloadHash };
    const signed: Record<string, string> = {
      ...headers,
      ...signatureHeaders(request, owner.accessKey, key, region, now),
    };
    const put = async (url: URL, headers: Record<string, string>, body: Uint8Array) => {
      const answer = await httpSend(url, { method: 'PUT', headers, body });
      return answer.ok ? 'accepted' : (await readRefusal(answer)).code;
    };
    const flipped = signed['authorization']!.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    expect(await put(url, { ...signed, authorization: flipped }, one.blob)).toBe('SignatureDoesNotMatch');
    expect(await put(objectUrl(place, `tampered/${two.id}`), signed, one.blob)).toBe('SignatureDoesNotMatch');
    expect(await put(url, { ...signed, 'x-amz-content-sha256': emptyPayloadHash }, one.blob)).toBe(
      'SignatureDoesNotMatch',
    );
    expect(await put(url, signed, two.blob)).toBe('XAmzContentSHA256Mismatch');
    expect(await listed(storeAt('blocks/tampered'))).toEqual([]);
    expect(await put(url, signed, one.blob)).toBe('accepted');
  });

  test('renews a block that is claimed by copying it onto itself, also where its name is special', async () => {
    const store = storeAt('blocks/renewed ü/+', ownerLogin, { renewAfter: 0 });
    await store.put(one.id, one.blob);
    expect(await store.upkeep.claim(one.id)).toBe(true);
    expect(await store.upkeep.claim(two.id)).toBeUndefined();
    expect(Buffer.compare(await store.get(one.id), one.blob)).toBe(0);
    const { size, modified } = (await store.upkeep.stat(one.id))!;
    expect(size).toBe(one.blob.length);
    expect(await store.upkeep.sweep(one.id, modified)).toBe(false);
    expect(await store.upkeep.sweep(one.id, modified + 1000)).toBe(true);
    expect(await store.has(one.id)).toBe(false);
  });

  test('is read without keys where the bucket is public, and not written or listed', async () => {
    await storeAt('public').put(one.id, one.blob);
    const anonymous = storeAt('public', '');
    expect(Buffer.from(await anonymous.get(one.id))).toEqual(Buffer.from(one.blob));
    expect(await anonymous.has(one.id)).toBe(true);
    expect(await anonymous.has(two.id)).toBe(false);
    await expect(anonymous.get(two.id)).rejects.toMatchObject({ kind: 'not-found' });
    for (const task of [
      () => anonymous.put(two.id, two.blob),
      () => anonymous.delete(one.id),
      () => listed(anonymous),
    ])
      await expect(task()).rejects.toMatchObject({ kind: 'denied' });
  });

  test('is used by who may read and write objects and not list them', async () => {
    const store = storeAt('shared', 'READER:reader-secret@');
    expect(await store.has(one.id)).toBe(false);
    await store.put(one.id, one.blob);
    expect(Buffer.from(await store.get(one.id))).toEqual(Buffer.from(one.blob));
    await expect(store.get(two.id)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(listed(store)).rejects.toMatchObject({ kind: 'denied' });
  });

  test('names a bucket that is not there, and a clock that is wrong', async () => {
    const absent = { kind: 'config', hint: expect.stringContaining('bucket absent') };
    await expect(storeAt('absent').get(one.id)).rejects.toMatchObject(absent);
    await expect(storeAt('absent').has(one.id)).rejects.toMatchObject(absent);
    await expect(storeAt('absent').put(one.id, one.blob)).rejects.toMatchObject(absent);
    const now = () => new Date(Date.now() + 3600_000);
    const early = storeAt('blocks', ownerLogin, { now }).get(one.id);
    await expect(early).rejects.toMatchObject({ kind: 'denied', hint: expect.stringContaining('clock') });
  });
});

test('rfs packs into a bucket, leaves no key in the flist, and unpacks with the keys of the environment', async () => {
  const directory = await temporary('s3');
  const source = join(directory, 'source');
  await mkdir(source);
  await writeFile(join(source, 'file'), Buffer.alloc(1_500_000, 'some text; '));
  const manifest = join(directory, 't.fl');
  printed(await rfs(['pack', '-m', manifest, '-s', urlOf('blocks/rfs'), source]));
  expect((await readManifest(manifest)).routes.map(({ url }) => url)).toEqual([urlOf('blocks/rfs', '')]);
  expect(await oracle('strings', [manifest])).not.toMatch(/owner.secret|OWNER/);
  const env = { AWS_ACCESS_KEY_ID: owner.accessKey, AWS_SECRET_ACCESS_KEY: owner.secretKey };
  const copy = join(directory, 'copy');
  printed(await rfs(['unpack', '-m', manifest, '-c', join(directory, 'cache'), copy], { env }));
  await oracle('diff', ['-r', source, copy]);
});
