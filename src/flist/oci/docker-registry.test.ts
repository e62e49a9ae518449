import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { dumpTree } from '../../tree/dump.ts';
import { sampleTree } from '../../tree/sample.fixture.ts';
import { Tree } from '../../tree/tree.ts';
import { startDockerRegistry } from './docker-registry.fixture.ts';
import {
  archive,
  collectTar,
  layoutFiles,
  makeImage,
  makeIndex,
  member,
  writeFiles,
} from './image.fixture.ts';
import { type OpenImage, readImageTree } from './image-tree.ts';
import { openImageAt } from './open-image.ts';
import { parsePlatform } from './platform.ts';
import { parseReference } from './reference.ts';
import { openRegistryImage, type RegistryOptions } from './registry.ts';

const choiceOf = (platform: string) => ({ platform: parsePlatform(platform), isPlatformDemanded: true });
const amd64 = choiceOf('linux/amd64');

async function dumpOf(opened: OpenImage): Promise<string> {
  const { tree, close } = await readImageTree(opened);
  return dumpTree(Tree.from(tree)).finally(close);
}

const pull = async (name: string, choice = amd64, options: RegistryOptions = {}) =>
  dumpOf(await openRegistryImage(parseReference(name), choice, options));

const skopeo = (...args: string[]) => run('skopeo', ['--insecure-policy', ...args], { package: 'skopeo' });

describe("Debian's docker-registry", () => {
  test('gives what skopeo pushed, by tag, digest and platform, in both formats', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const layout = join(scratch.path, 'layout');
    const lower = await collectTar(sampleTree);
    const images = await Promise.all(
      ['linux/amd64', 'linux/arm64'].map((name) =>
        makeImage({ layers: [lower, archive(member(name))], platform: parsePlatform(name) }),
      ),
    );
    const index = makeIndex(images.map(({ manifest }) => manifest));
    const annotations = { 'org.opencontainers.image.ref.name': 'all' };
    const blobs = images.flatMap((image) => [...image.blobs]);
    const files = layoutFiles(
      [{ ...index.descriptor, annotations }],
      [[index.descriptor.digest, index.bytes], ...blobs],
    );
    await writeFiles(layout, files);

    await using registry = await startDockerRegistry();
    const name = `${registry.host}/team/app`;
    const copy = ['copy', '--quiet', '--dest-tls-verify=false'];
    await skopeo(...copy, '--all', `oci:${layout}:all`, `docker://${name}:oci`);
    await skopeo(
      ...copy,
      '--format',
      'v2s2',
      '--override-arch',
      'arm64',
      `oci:${layout}:all`,
      `docker://${name}:docker`,
    );

    for (const platform of ['linux/amd64', 'linux/arm64']) {
      const expected = await dumpOf(await openImageAt(layout, choiceOf(platform)));
      expect(expected).toContain(`"path":"${platform}"`);
      expect(await pull(`${name}:oci`, choiceOf(platform))).toBe(expected);
      const { stdout } = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}:oci`);
      const digest = JSON.parse(stdout.toString()).manifests[platform === 'linux/amd64' ? 0 : 1].digest;
      expect(await pull(`${name}@${digest}`, choiceOf(platform))).toBe(expected);
      if (platform === 'linux/arm64') expect(await pull(`${name}:docker`, choiceOf(platform))).toBe(expected);
    }
    await expect(pull(`${name}:docker`)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(pull(`${name}:none`)).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('gives to its user only', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const image = await makeImage({ layers: [archive(member('file', {}, 'private'))] });
    const layout = await writeFiles(join(scratch.path, 'layout'), layoutFiles([image.manifest], image.blobs));
    const user = { name: 'user', password: 'p@ss:word' };
    await using registry = await startDockerRegistry({ user });
    const name = `${registry.host}/app:1`;
    const creds = `${user.name}:${user.password}`;
    await skopeo(
      'copy',
      '--quiet',
      '--dest-tls-verify=false',
      '--dest-creds',
      creds,
      `oci:${layout}`,
      `docker://${name}`,
    );

    const login = (password: string) => ({
      login: { credentials: { kind: 'password', username: user.name, password } as const },
    });
    expect(await pull(name, amd64, login(user.password))).toContain('"path":"file"');
    await expect(pull(name)).rejects.toMatchObject({ kind: 'denied' });
    await expect(pull(name, amd64, login('wrong'))).rejects.toMatchObject({ kind: 'denied' });
  });
});
