import { describe, expect, test } from 'vitest';
import { parseConfig } from './config.ts';
import { digestOf, isDigest, readVerified } from './digest.ts';
import { parseDocument } from './documents.ts';
import { json } from './image.fixture.ts';

const digest = digestOf(Buffer.from('x'));
const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 };
const config = { ...descriptor, mediaType: 'application/vnd.oci.image.config.v1+json' };
const layer = { ...descriptor, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
const manifest = { schemaVersion: 2, config, layers: [layer] };
const index = { schemaVersion: 2, manifests: [descriptor] };

describe('a document', () => {
  test('is an index or a manifest by its members', () => {
    expect(parseDocument(json(index), 'doc')).toMatchObject({ kind: 'index', manifests: [descriptor] });
    expect(parseDocument(json(manifest), 'doc')).toMatchObject({ kind: 'manifest', config, layers: [layer] });
    const docker = 'application/vnd.docker.distribution.manifest.list.v2+json';
    expect(parseDocument(json({ ...index, mediaType: docker }), 'doc', docker).kind).toBe('index');
  });

  test.each([
    ['no JSON', Buffer.from('{'), 'corrupt', 'doc is not JSON'],
    ['bytes that are no text', Buffer.of(0x22, 0xff, 0x22), 'corrupt', 'not JSON'],
    ['a list', json([]), 'corrupt', 'damaged'],
    ['nothing', json({}), 'corrupt', 'neither'],
    ['index and manifest at once', json({ ...index, ...manifest }), 'corrupt', 'neither'],
    [
      'one that says to be another',
      json({ ...index, mediaType: descriptor.mediaType }),
      'corrupt',
      'is said to be',
    ],
    ['Docker schema 1', json({ schemaVersion: 1, fsLayers: [] }), 'failed', 'before 2016'],
    [
      'a chart',
      json({ ...manifest, config: { ...config, mediaType: 'application/helm' } }),
      'failed',
      'application/helm',
    ],
    [
      'a layer of another kind',
      json({ ...manifest, layers: [{ ...layer, mediaType: 'text/plain' }] }),
      'failed',
      'text/plain',
    ],
    [
      'a wrong digest',
      json({ manifests: [{ ...descriptor, digest: 'sha256:../x' }] }),
      'corrupt',
      'manifests.0.digest',
    ],
    ['a wrong size', json({ manifests: [{ ...descriptor, size: -1 }] }), 'corrupt', 'manifests.0.size'],
    ['far too many layers', json({ config, layers: Array(600).fill(layer) }), 'corrupt', 'layers'],
    ['JSON a million brackets deep', Buffer.from('['.repeat(1_000_000)), 'corrupt', 'not JSON'],
    [
      'a deep value',
      Buffer.from(`{"manifests":${'['.repeat(500_000)}${']'.repeat(500_000)}}`),
      'corrupt',
      'doc',
    ],
  ])('is refused when it is %s', (_what, bytes, kind, message) => {
    const refused = expect.objectContaining({ kind, message: expect.stringContaining(message) });
    expect(() => parseDocument(bytes, 'doc')).toThrow(refused);
  });

  test('is refused when the server says another type', () => {
    const type = 'application/vnd.oci.image.index.v1+json';
    expect(() => parseDocument(json(manifest), 'doc', type)).toThrow('is said to be');
    expect(parseDocument(json(manifest), 'doc', 'application/json').kind).toBe('manifest');
  });
});

describe('a configuration', () => {
  const rootfs = { type: 'layers', diff_ids: [digest] };

  test('is read with its defaults', () => {
    expect(parseConfig(json({ rootfs }), 'config')).toEqual({
      platform: { os: 'linux', architecture: '' },
      entrypoint: [],
      cmd: [],
      env: [],
      diffIds: [digest],
    });
  });

  test('is read as Docker and others write it', () => {
    const written = {
      architecture: 'arm64',
      os: 'linux',
      variant: 'v8',
      created: '2024-05-06T07:08:09.123456789Z',
      config: { Entrypoint: ['/a', 'b'], Cmd: null, Env: ['A=1'], WorkingDir: '/w', User: '1:2', Labels: {} },
      rootfs,
      history: [{ empty_layer: true }],
    };
    expect(parseConfig(json(written), 'config')).toEqual({
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      created: Date.UTC(2024, 4, 6, 7, 8, 9) / 1000,
      entrypoint: ['/a', 'b'],
      cmd: [],
      env: ['A=1'],
      workingDir: '/w',
      user: '1:2',
      diffIds: [digest],
    });
    const asText = { ...written, config: { Entrypoint: '/a' }, created: 'yesterday' };
    expect(parseConfig(json(asText), 'config')).toMatchObject({ entrypoint: ['/a'] });
    expect(parseConfig(json({ rootfs, config: null }), 'config').cmd).toEqual([]);
  });

  test.each([
    [{}, 'rootfs'],
    [{ rootfs: { diff_ids: ['sha256:short'] } }, 'rootfs.diff_ids.0'],
    [{ rootfs, config: { Cmd: [1] } }, 'config.Cmd'],
  ])('%j is refused', (value, place) => {
    const refused = expect.objectContaining({ kind: 'corrupt', message: expect.stringContaining(place) });
    expect(() => parseConfig(json(value), 'config')).toThrow(refused);
  });
});

describe('a digest', () => {
  test('is one of the registered algorithms in lower-case hex', () => {
    expect(isDigest(`sha512:${'0'.repeat(128)}`)).toBe(true);
    const bad = [`sha256:${'A'.repeat(64)}`, `sha512:${'0'.repeat(64)}`, 'md5:0', 'sha256', '', 'toString:x'];
    for (const text of bad) expect(isDigest(text), text).toBe(false);
  });

  test('holds bytes against what they must be', async () => {
    const bytes = Buffer.from('some bytes');
    const right = { digest: digestOf(bytes), size: bytes.length };
    expect((await readVerified([bytes], right, 'blob', 100)).toString()).toBe('some bytes');
    await expect(readVerified([bytes], right, 'blob', 5)).rejects.toMatchObject({ kind: 'hostile' });
    const wrong = [{ ...right, size: 9 }, { ...right, size: 11 }, { digest: digestOf(Buffer.from('x')) }];
    for (const expected of wrong)
      await expect(readVerified([bytes], expected, 'blob', 100)).rejects.toMatchObject({ kind: 'corrupt' });
  });
});
