import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { storeReader, treeOfManifest } from '../../flist/manifest/manifest-tree.ts';
import { startDockerRegistry } from '../../flist/oci/docker-registry.fixture.ts';
import {
  archive,
  dockerArchiveFiles,
  type ImageShape,
  layoutFiles,
  makeImage,
  member,
  tarOfFiles,
  writeFiles,
} from '../../flist/oci/image.fixture.ts';
import { type StubRegistry, stubRegistry } from '../../flist/oci/registry-stub.fixture.ts';
import { openStore } from '../../store/open.ts';
import { testDirectory } from '../../store/test-directory.ts';
import type { Tree } from '../../tree/tree.ts';
import define, { flistNameOf } from './docker.ts';
import { expectOneError, rfs } from './test-rfs.ts';

const shape: ImageShape = {
  layers: [
    archive(
      member('bin/'),
      member('bin/app', { mode: 0o755, uid: 7, gid: 8 }, 'the program'),
      member('gone'),
    ),
  ],
  config: {
    Entrypoint: ['/bin/app'],
    Cmd: ['--serve', 'all'],
    Env: ['PATH=/bin', 'LANG=C'],
    WorkingDir: '/srv',
    User: '7',
  },
  created: '2024-05-06T07:08:09Z',
};
const upper = archive(member('.wh.gone'), member('proc/', { mode: 0o555 }));
const image = await makeImage({ ...shape, layers: [...shape.layers, upper] });
const platform = ['--platform', 'linux/amd64'];
const secret = 'p4ssw0rd';
const isMe = `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`;

let registry: StubRegistry & AsyncDisposable;
let root: string;
let store: string;

/** Runs `rfs docker` in a directory of its own. */
const docker = (args: readonly string[], environment = {}) =>
  rfs(['docker', '-s', store, ...args], {
    cwd: root,
    env: { ...process.env, DOCKER_CONFIG: root, ...environment },
  });

/** The same for what fails before it prints, without the start of a program. */
async function inProcess(args: readonly string[]): Promise<unknown> {
  const command = new Command('docker').option('--quiet');
  define(command);
  return command.parseAsync(['-s', store, '--quiet', ...args], { from: 'user' });
}

async function treeOf(flist: string): Promise<Tree> {
  return treeOfManifest(await readManifest(join(root, flist)), storeReader(await openStore(store)));
}

beforeEach(async () => {
  root = await testDirectory();
  store = `dir://${root}/blocks`;
  registry = await stubRegistry(image, {
    intercept: (request, response) => {
      const needsLogin = request.url?.includes('/app/') && request.headers['x-open'] === undefined;
      if (!needsLogin || request.headers.authorization === isMe) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return true;
    },
  });
});
afterEach(() => registry[Symbol.asyncDispose]());

describe('rfs docker', () => {
  const login = ['--username', 'me', '--password', secret];

  test('makes a flist of an image in a registry, named after it', async () => {
    const { code, out, error } = await docker(['-i', registry.name, ...login, ...platform]);
    const flist = `${registry.name.replaceAll(/[:/]/g, '-')}.fl`;
    expect(code, error).toBe(0);
    expect(out).toMatch(
      new RegExp(`^${flist}: 2 files, \\d+ B in 2 blocks; 2 blocks were new, .* stored\n$`),
    );
    expect(error).toBe(`${registry.name}: ${image.manifest.digest}, linux/amd64, 2 layers\n`);
    expect((await readdir(root)).sort()).toEqual([flist, 'blocks'].sort());

    const tree = await treeOf(flist);
    expect([...tree.paths()]).toEqual(['', '.startup.toml', 'bin', 'bin/app', 'dev', 'proc', 'sys']);
    expect(tree.get('bin/app')).toMatchObject({ mode: 0o755, uid: 7, gid: 8 });
    expect([tree.get('dev'), tree.get('proc')]).toMatchObject([{ mode: 0o755 }, { mode: 0o555 }]);
    const time = Date.UTC(2024, 4, 6, 7, 8, 9) / 1000;
    expect(tree.get('.startup.toml')).toMatchObject({ mode: 0o644, uid: 0, mtime: time });
    expect(Buffer.from(await tree.file('.startup.toml')!.content.read()).toString()).toBe(
      [
        '[startup.entry]',
        'name = "core.system"',
        '',
        '[startup.entry.args]',
        'args = ["--serve", "all"]',
        'dir = "/srv"',
        'name = "/bin/app"',
        '',
        '[startup.entry.args.env]',
        'LANG = "C"',
        'PATH = "/bin"',
        '',
      ].join('\n'),
    );
    expect([...(await readManifest(join(root, flist))).tags]).toEqual([
      ['digest', image.manifest.digest],
      ['image', registry.name],
      ['platform', 'linux/amd64'],
      ['user', '7'],
    ]);
    expect(await readFile(join(root, flist), 'latin1')).not.toContain(secret);
  });

  test('says what it did as JSON, and the same image makes the same flist', async () => {
    const args = ['-i', registry.name, ...login, ...platform, '--quiet', '--json'];
    const first = await docker(args);
    expect(first).toMatchObject({ code: 0, error: '' });
    const { flist, ...summary } = JSON.parse(first.out);
    expect(summary).toMatchObject({
      digest: image.manifest.digest,
      platform: 'linux/amd64',
      files: 2,
      newBlocks: 2,
    });
    const bytes = await readFile(join(root, flist));
    expect(JSON.parse((await docker(args)).out)).toMatchObject({ newBlocks: 0 });
    expect(await readFile(join(root, flist))).toEqual(bytes);
  });

  test('takes credentials from the environment, where no list of processes shows them', async () => {
    const variables = { RFS_REGISTRY_USERNAME: 'me', RFS_REGISTRY_PASSWORD: secret };
    expect(await docker(['-i', registry.name, ...platform], variables)).toMatchObject({ code: 0 });
  });

  test('leaves the former flist as it was when it fails, and none where none was', async () => {
    const flist = join(root, `${registry.name.replaceAll(/[:/]/g, '-')}.fl`);
    const args = ['-i', registry.name, ...platform];
    expectOneError(await docker(args), /wants a user name and password/);
    expect(await readdir(root)).toEqual([]);
    await writeFile(flist, 'former');
    const wrong = await docker([...args, '--username', 'me', '--password', 'wrong-secret']);
    expectOneError(wrong, /does not accept/);
    expect(wrong.error).not.toContain('wrong-secret');
    const layer = [...registry.blobs].find(([digest]) => digest !== image.manifest.digest)!;
    registry.blobs.set(layer[0], { ...layer[1], bytes: Buffer.from('damaged') });
    const damaged = await docker([...args, ...login]);
    expect(damaged.code).toBe(1);
    expect(damaged.error).toMatch(/error: .*layer sha256:.*\nhint: /);
    expect(await readFile(flist, 'utf8')).toBe('former');
    expect(await readdir(root)).toHaveLength(1);
  });

  test('reads layouts and archives, by their place or as the image of a name', async () => {
    const made = await makeImage(shape);
    await writeFiles(join(root, 'layout'), layoutFiles([made.manifest], made.blobs));
    await writeFile(
      join(root, 'saved.tar'),
      await tarOfFiles(dockerArchiveFiles([{ image: made, tags: ['other:1'] }])),
    );
    for (const [args, flist] of [
      [['-i', 'oci:layout'], 'oci-layout.fl'],
      [['-i', 'team/app', '--archive', 'saved.tar'], 'team-app-latest.fl'],
    ] as const) {
      expect((await docker([...args, ...platform])).out).toMatch(new RegExp(`^${flist}: 3 files`));
      expect([...(await treeOf(flist)).paths()]).toContain('bin/app');
    }
    await mkdir(join(root, 'empty'));
    for (const [args, refused] of [
      [['-i', `oci:${root}/layout`, '--platform', 'linux/arm64'], { kind: 'not-found' }],
      [['-i', `docker-archive:${root}/saved.tar:else`], { kind: 'not-found' }],
      [['-i', 'x', '--archive', join(root, 'empty')], { kind: 'failed' }],
    ] as const)
      await expect(inProcess(args)).rejects.toMatchObject(refused);
  });

  test('asks a registry by TLS when it speaks it, and only with a certificate that is trusted', async () => {
    const made = await makeImage(shape);
    await writeFiles(join(root, 'layout'), layoutFiles([made.manifest], made.blobs));
    const tls = { certificate: join(root, 'certificate.pem'), key: join(root, 'key.pem') };
    const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await run('openssl', ['req', '-x509', ...key, ...subject, '-keyout', tls.key, '-out', tls.certificate]);
    await using server = await startDockerRegistry({ tls });
    const name = `${server.host}/app:1`;
    const copy = ['--insecure-policy', 'copy', '--quiet', '--dest-tls-verify=false'];
    await run('skopeo', [...copy, `oci:${root}/layout`, `docker://${name}`]);
    const pulled = await docker(['-i', name, ...platform], { NODE_EXTRA_CA_CERTS: tls.certificate });
    expect(pulled, pulled.error).toMatchObject({ code: 0 });
    const refused = await docker(['-i', name, ...platform]);
    expect(refused).toMatchObject({ code: 1, error: expect.stringContaining('NODE_EXTRA_CA_CERTS') });
  });

  test('asks nobody when the store cannot be written', async () => {
    store = 'http://127.0.0.1:1/blocks';
    await expect(inProcess(['-i', registry.name])).rejects.toMatchObject({ kind: 'denied' });
    expect(registry.server.requests).toHaveLength(0);
  });

  test.each([
    [['-i', 'Wrong:Name'], 'lower case'],
    [['-i', 'app', '--platform', 'a/b/c/d'], 'no platform'],
    [['-i', 'app', '--password', 'x'], 'alone'],
    [['-i', 'app', '--username', 'u', '--password', 'x', '--server-address', 'else'], 'are for else'],
  ])('%j is a usage error', async (args, message) => {
    const usage = { kind: 'usage', message: expect.stringContaining(message) };
    await expect(inProcess(args)).rejects.toMatchObject(usage);
  });

  test('without a name or a store is a usage error', async () => {
    expect(await rfs(['docker', '-s', store], { cwd: root })).toMatchObject({ code: 2 });
    expect(await rfs(['docker', '-i', 'app'], { cwd: root })).toMatchObject({ code: 2 });
  });
});

test.each([
  ['redis', 'redis-latest.fl'],
  ['team/app:1.0', 'team-app-1.0.fl'],
  ['localhost:5000/app', 'localhost-5000-app.fl'],
  ['docker://redis', 'redis-latest.fl'],
  ['oci:/srv/image', 'oci--srv-image.fl'],
])('the flist of %s is %s', (image, flist) => expect(flistNameOf(image)).toBe(flist));
