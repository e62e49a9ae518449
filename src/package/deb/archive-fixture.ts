import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { run } from '../../base/exec.ts';
import type { AptSource } from './apt-sources.ts';

export interface DebRecipe {
  readonly name: string;
  readonly version?: string;
  /** Further control fields, as lines. */
  readonly fields?: readonly string[];
  /** Text by path; a value that starts with `->` is a link to what follows. */
  readonly files?: Readonly<Record<string, string>>;
  readonly compression?: 'gzip' | 'xz' | 'zstd' | 'none';
}

/** Builds a .deb with dpkg-deb into `directory`; returns its path. */
export async function buildDeb(
  directory: string,
  { name, version = '1.0', fields = [], files = {}, compression = 'gzip' }: DebRecipe,
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'deb-root-'));
  const control = `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: Nobody <nobody@invalid>\n${fields
    .map((line) => `${line}\n`)
    .join('')}Description: a package for tests\n`;
  await mkdir(join(root, 'DEBIAN'), { mode: 0o755 });
  await writeFile(join(root, 'DEBIAN/control'), control);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('->')) await run('ln', ['-s', text.slice(2), join(root, path)]);
    else await writeFile(join(root, path), text, { mode: path.startsWith('DEBIAN/') ? 0o755 : 0o644 });
  }
  const deb = join(directory, `${name}_${version.replace(':', '%3a')}_all.deb`);
  await mkdir(directory, { recursive: true });
  await run('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', root, deb], {
    env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' },
  });
  await rm(root, { recursive: true });
  return deb;
}

/** A signed archive with the suite `test`, served over HTTP on this machine. */
export class TestArchive {
  /** Paths that were asked for, in their order. */
  readonly requests: string[] = [];
  readonly #directory: string;
  readonly #server = createServer((request, response) => {
    const path = join(this.#directory, 'www', decodeURIComponent(new URL(request.url!, 'http://x').pathname));
    this.requests.push(request.url!);
    stat(path).then(
      ({ size }) => {
        response.writeHead(200, { 'content-length': size });
        createReadStream(path).pipe(response);
      },
      () => response.writeHead(404).end(),
    );
  });

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(recipes: readonly DebRecipe[]): Promise<TestArchive> {
    const archive = new TestArchive(await mkdtemp(join(tmpdir(), 'deb-archive-')));
    await archive.#makeKey();
    await archive.publish(recipes);
    await new Promise<void>((resolve) => archive.#server.listen(0, '127.0.0.1', resolve));
    return archive;
  }

  get source(): AptSource {
    return {
      uris: [`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/debian`],
      suites: ['test'],
      components: ['main'],
      signedBy: join(this.#directory, 'key.gpg'),
    };
  }

  /** The file of the archive at a path below its root. */
  file(path: string): string {
    return join(this.#directory, 'www/debian', path);
  }

  /** Puts these packages in the place of those that it has. */
  async publish(recipes: readonly DebRecipe[]): Promise<void> {
    await rm(this.file('.'), { recursive: true, force: true });
    const paragraphs: string[] = [];
    for (const recipe of recipes) {
      const deb = await buildDeb(this.file('pool'), recipe);
      const bytes = await readFile(deb);
      const control = (await run('dpkg-deb', ['-f', deb])).stdout.toString();
      paragraphs.push(
        `${control}Filename: pool/${basename(deb)}\nSize: ${bytes.length}\nSHA256: ${digest(bytes)}\n`,
      );
    }
    const index = Buffer.from(paragraphs.join('\n'));
    const suite = this.file('dists/test');
    await mkdir(join(suite, 'main/binary-amd64'), { recursive: true });
    await writeFile(join(suite, 'main/binary-amd64/Packages'), index);
    const release = `Origin: Test\nSuite: test\nCodename: test\nArchitectures: amd64\nComponents: main\nDate: ${new Date().toUTCString()}\nSHA256:\n ${digest(index)} ${index.length} main/binary-amd64/Packages\n`;
    await this.#gpg(['--clearsign', '--output', join(suite, 'InRelease')], release);
  }

  /** Makes the archive unreachable. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    await run('gpgconf', ['--homedir', join(this.#directory, 'gpg'), '--kill', 'all']);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #makeKey(): Promise<void> {
    await mkdir(join(this.#directory, 'gpg'), { mode: 0o700 });
    await this.#gpg(['--passphrase', '', '--quick-generate-key', 'test archive', 'ed25519', 'sign', 'never']);
    await this.#gpg(['--export', '--output', join(this.#directory, 'key.gpg')]);
  }

  async #gpg(args: readonly string[], input = ''): Promise<void> {
    await run('gpg', ['--homedir', join(this.#directory, 'gpg'), '--batch', '--yes', ...args], {
      input,
      package: 'gnupg',
    });
  }
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
