/** No secret of a store is in anything that a command shows, writes or starts. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { stores } from '../../src/cli/rfs/options.ts';
import { packedPlace, rfs } from '../../src/cli/rfs/test-rfs.ts';
import { archive, makeImage, member } from '../../src/flist/oci/image.fixture.ts';
import { stubRegistry, TestServer } from '../../src/flist/oci/registry-stub.fixture.ts';
import { findMount } from '../../src/fuse/mount-table.ts';
import { storeKinds } from '../../src/store/kinds.ts';
import { serveS3 } from '../../src/store/s3/test-s3.ts';
import { testDirectory } from '../../src/store/test-directory.ts';
import { serve } from '../../src/store/test-server.ts';
import { serveZdb } from '../../src/store/zdb/zdb-stub.fixture.ts';
import { leavesOf } from './commands.ts';
import { root as project } from './markdown.ts';

const password = 'Sw0rdf1sh+very/secret=';
const token = 'T0ken-of-the-qu3ry';
const inEnvironment = 'Env1ronment-s3cret';
const accessKey = 'AKIA0F0UR0WN';
const escaped = encodeURIComponent(password);

/** Every form in which a secret could leak. */
const leaks = [
  password,
  escaped,
  escaped.toLowerCase(),
  Buffer.from(`user:${password}`).toString('base64'),
  token,
  inEnvironment,
  accessKey,
];

/** A store with secrets in its address; `spec` of one that works, and `broken` of one that refuses everything. */
interface SecretStore {
  readonly spec: string;
  readonly broken: string;
  /** Where the secrets are, when they are not in the address. */
  readonly env?: Readonly<Record<string, string>>;
}

const kinds: Readonly<Record<string, (blocks: string) => Promise<SecretStore>>> = {
  http: async (blocks) => {
    const expected = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`;
    const { url } = await serve((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, 'http://host');
      const isAllowed = request.headers.authorization === expected && searchParams.get('token') === token;
      if (!isAllowed || pathname.startsWith('/broken')) return void response.writeHead(403).end();
      readFile(join(blocks, pathname)).then(
        (blob) => response.end(blob),
        () => response.writeHead(404).end(),
      );
    });
    const address = url.replace('://', `://user:${escaped}@`);
    return { spec: `${address}/?token=${token}`, broken: `${address}/broken?token=${token}` };
  },
  zdb: async () => {
    const { url } = await serveZdb({ namespaces: { ours: { password }, other: { password: 'another' } } });
    const address = url.replace('://', `://:${escaped}@`);
    return { spec: `${address}/ours`, broken: `${address}/other` };
  },
  s3: async () => {
    const { port } = await serveS3({ secrets: { [accessKey]: password } });
    const address = `s3://${accessKey}:${escaped}@127.0.0.1:${port}`;
    return { spec: `${address}/blocks`, broken: `${address}/no-such-bucket` };
  },
};

/** Stores whose secrets are given in other ways than in the address. */
const otherWays: Readonly<Record<string, () => Promise<SecretStore>>> = {
  'in the environment': async () => {
    const env = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: password };
    return { ...(await withoutKeys()), env };
  },
  "in a profile of AWS's files": async () => {
    const file = join(await testDirectory(), 'credentials');
    await writeFile(file, `[ours]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${password}\n`);
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'ours', AWS_SECRET_ACCESS_KEY: '' };
    return { ...(await withoutKeys()), env };
  },
};

async function withoutKeys(): Promise<SecretStore> {
  const { port } = await serveS3({ secrets: { [accessKey]: password } });
  const address = `s3://127.0.0.1:${port}`;
  return { spec: `${address}/blocks`, broken: `${address}/no-such-bucket` };
}

/** Runs commands and keeps all that they let out. */
class Audit {
  readonly #witness: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #directory: string;
  readonly #said: string[] = [];

  /** @param directory in which the commands run */
  constructor(witness: string, env: SecretStore['env'] = {}, directory: string = project) {
    this.#witness = witness;
    this.#directory = directory;
    this.#env = {
      ...process.env,
      AWS_SECRET_ACCESS_KEY: inEnvironment,
      WITNESS: witness,
      NODE_OPTIONS: `--import ${join(project, 'test/unit/witness.ts')}`,
      ...env,
    };
  }

  async rfs(...args: readonly string[]): Promise<number> {
    const { code, out, error } = await rfs([...args, '--debug'], { env: this.#env, cwd: this.#directory });
    this.#said.push(`rfs ${args[0]}`, out, error);
    return code;
  }

  add(text: string): void {
    this.#said.push(text);
  }

  /** @param files that must not hold a secret either */
  async expectNoSecret(files: readonly string[], { typed }: { readonly typed: boolean }): Promise<void> {
    const witnessed = (await readdir(this.#witness)).map((name) => join(this.#witness, name));
    expect(witnessed.filter((path) => path.endsWith('.json')).length).toBeGreaterThan(0);
    for (const path of [...files, ...witnessed]) {
      const text = (await readFile(path)).toString('latin1');
      // What a user types is in the process list by his own doing.
      this.#said.push(path, typed && path.endsWith('.json') ? withoutCommandLine(text) : text);
    }
    for (const leak of leaks) expect(this.#said.join('\n')).not.toContain(leak);
  }
}

function withoutCommandLine(report: string): string {
  const { header, ...rest } = JSON.parse(report) as { header: Record<string, unknown> };
  const { commandLine: _, ...others } = header;
  return JSON.stringify({ header: others, ...rest });
}

describe.each(Object.entries(kinds))('a secret of a %s store', (_, makeStore) => {
  test.each([
    ['typed in a command line', true],
    ['in a file', false],
  ])('%s shows nowhere', { timeout: 120_000 }, (_, typed) => audited(makeStore, typed));
});

test.each(Object.entries(otherWays))('a secret %s shows nowhere', { timeout: 120_000 }, (_, makeStore) =>
  audited(makeStore, false),
);

async function audited(makeStore: (blocks: string) => Promise<SecretStore>, typed: boolean): Promise<void> {
  const { root, source, meta, blocks, store: local } = await packedPlace();
  const witness = join(root, 'witness');
  await mkdir(witness);
  const { spec, broken, env } = await makeStore(blocks);
  const audit = new Audit(witness, env);
  const argumentOf = async (name: string, text: string) => {
    if (typed) return text;
    await writeFile(join(root, name), `${text}\n`, { mode: 0o600 });
    return `@${join(root, name)}`;
  };
  const [good, bad] = [await argumentOf('good', spec), await argumentOf('bad', broken)];
  const isWritable = !spec.startsWith('http');
  const codeOfWrite = isWritable ? 0 : 1;
  const [packed, cloned] = [join(root, 'packed.fl'), join(root, 'cloned.fl')];

  expect(await audit.rfs('pack', '-m', packed, '-s', good, source)).toBe(codeOfWrite);
  const unpack = ['unpack', '-m', meta, '-c', join(root, 'cache')];
  expect(await audit.rfs(...unpack, '-s', bad, join(root, 'not-unpacked'))).toBe(1);
  expect(await audit.rfs('clone', '-m', meta, '-s', good, '-o', cloned)).toBe(codeOfWrite);
  if (typed) {
    expect(await audit.rfs('pack', '-m', packed, '-s', bad, source)).toBe(1);
    expect(await audit.rfs('clone', '-m', meta, '-s', `dir://${root}/copy`, '--from', good)).toBe(0);
    expect(await audit.rfs('clone', '-m', meta, '-s', bad)).toBe(1);
    expect(await audit.rfs('sync', local, good)).toBe(codeOfWrite);
    expect(await audit.rfs('sync', bad, local)).toBe(1);
    expect(await audit.rfs('du', '-s', good, meta)).toBe(0);
    expect(await audit.rfs('gc', '-s', bad, meta)).toBe(1);
    expect(await audit.rfs('verify', '-s', good, meta)).toBe(0);
    expect(await audit.rfs('verify', '-s', bad, meta)).not.toBe(0);
    expect(await audit.rfs(...unpack, '-s', good, join(root, 'unpacked'))).toBe(0);
    await run('diff', ['-r', source, join(root, 'unpacked')]);
  }
  await mountAndRead(audit, root, meta, good);

  const files = (await readdir(root)).filter((name) => /\.fl$|^log$/.test(name));
  if (isWritable) expect(files).toEqual(expect.arrayContaining(['packed.fl', 'cloned.fl', 'log']));
  await audit.expectNoSecret(
    files.map((name) => join(root, name)),
    { typed },
  );
}

/** A mount in the background; what everybody sees of the process that serves it belongs to the audit. */
async function mountAndRead(audit: Audit, root: string, meta: string, store: string): Promise<void> {
  const mountpoint = join(root, 'mnt');
  await mkdir(mountpoint);
  const log = join(root, 'log');
  const args = [
    'mount',
    '-m',
    meta,
    '-c',
    join(root, 'mount-cache'),
    '-s',
    store,
    '-d',
    '-l',
    log,
    mountpoint,
  ];
  expect(await audit.rfs(...args)).toBe(0);
  onTestFinished(async () => {
    await run('umount', ['-l', mountpoint], { accept: [0, 1, 32] });
  });
  const pid = (await findMount(mountpoint))!.source;
  audit.add(await readFile(`/proc/${pid}/cmdline`, 'latin1'));
  expect((await run('cat', [join(mountpoint, 'dir/file')])).stdout.toString()).toBe('the content');
  await run('umount', [mountpoint]);
  await run('tail', [`--pid=${pid}`, '-f', '/dev/null']);
}

const auth = Buffer.from(`user:${password}`).toString('base64');
const registryWays: Readonly<
  Record<string, { args?: string[]; env?: Record<string, string>; auths?: object }>
> = {
  'typed in a command line': { args: ['--username', 'user', '--password', password] },
  'in the environment': { env: { RFS_REGISTRY_USERNAME: 'user', RFS_REGISTRY_PASSWORD: password } },
  "in Docker's file": { auths: { auth } },
  'that is an identity token': { env: { RFS_REGISTRY_IDENTITY_TOKEN: inEnvironment } },
};

test.each(Object.entries(registryWays))('a secret of a registry %s shows nowhere', async (_, {
  args = [],
  env = {},
  auths,
}) => {
  const root = await testDirectory();
  const witness = join(root, 'witness');
  await mkdir(witness);
  await using tokens = await TestServer.start((request, response) => {
    const isKnown = request.method === 'POST' || request.headers.authorization === `Basic ${auth}`;
    if (isKnown) response.end(JSON.stringify({ token }));
    else response.writeHead(401).end();
  });
  await using registry = await stubRegistry(await makeImage({ layers: [archive(member('file'))] }), {
    intercept: (request, response) => {
      if (request.headers.authorization === `Bearer ${token}` && !request.url?.includes('/broken'))
        return false;
      const realm = `Bearer realm="http://${tokens.host}/token",service="s"`;
      response.writeHead(401, { 'www-authenticate': realm }).end();
      return true;
    },
  });
  const { host } = registry.server;
  await writeFile(join(root, 'config.json'), JSON.stringify({ auths: auths ? { [host]: auths } : {} }));
  const audit = new Audit(witness, { DOCKER_CONFIG: root, ...env }, root);
  const docker = ['docker', '-s', `dir://${root}/blocks`, '--platform', 'linux/amd64', ...args];
  expect(await audit.rfs(...docker, '-i', registry.name)).toBe(0);
  expect(await audit.rfs(...docker, '-i', `${host}/broken:1`)).toBe(1);
  expect(tokens.requests.length).toBeGreaterThan(1);
  const flists = (await readdir(root)).filter((name) => name.endsWith('.fl'));
  expect(flists).toHaveLength(1);
  await audit.expectNoSecret(
    flists.map((name) => join(root, name)),
    { typed: args.length > 0 },
  );
});

test('every option that takes a store takes @FILE too', async () => {
  const options = (await leavesOf('rfs')).flatMap((leaf) => leaf.options);
  const ofStores = options.filter(({ flags }) => flags.includes('[xx-yy=]url'));
  expect(ofStores.length).toBeGreaterThan(6);
  for (const { flags, parseArg } of ofStores) expect(parseArg, flags).toBe(stores);
});

test('every kind of store that a secret can be for is audited', () => {
  const audited = Object.keys(kinds).map((kind) => `${kind}:`);
  const withSecrets = Object.keys(storeKinds).filter(
    (protocol) => !['dir:', 'https:', 's3s:'].includes(protocol),
  );
  expect(audited.sort()).toEqual(withSecrets.sort());
});

test('the audit notices a secret', async () => {
  const audit = new Audit(await testDirectory());
  await audit.rfs('--version');
  audit.add(`cannot ask http://user:${escaped}@host/`);
  await expect(audit.expectNoSecret([], { typed: true })).rejects.toThrow(/not to contain/);
});
