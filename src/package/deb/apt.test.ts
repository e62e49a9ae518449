import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../base/digest.ts';
import { describeError } from '../../base/errors.ts';
import { run } from '../../base/exec.ts';
import { Apt } from './apt.ts';
import { type DebRecipe, TestArchive } from './archive-fixture.ts';
import { debPath, downloadPackages } from './download.ts';

const packages: readonly DebRecipe[] = [
  {
    name: 'app',
    fields: ['Depends: library (>= 2), mailer | mail-agent, tool', 'Recommends: manual'],
    files: { 'usr/bin/app': 'app' },
  },
  {
    name: 'library',
    version: '1:2.1',
    fields: ['Section: libs', 'Source: lib-source (2.0)', 'Homepage: https://example.invalid'],
  },
  { name: 'library', version: '1.9' },
  {
    name: 'mailer',
    fields: ['Provides: mail-agent', 'Conflicts: mail-agent', 'Replaces: mail-agent, old-mailer (<< 2)'],
  },
  { name: 'other-mailer', fields: ['Provides: mail-agent', 'Conflicts: mail-agent'] },
  { name: 'tool', fields: ['Provides: sole-service'] },
  { name: 'manual' },
];

let archive: TestArchive;
let apt: Apt;
let directory: string;

beforeAll(async () => {
  archive = await TestArchive.start(packages);
  directory = await mkdtemp(join(tmpdir(), 'apt-'));
  apt = await Apt.open({ directory, sources: [archive.source], architecture: 'amd64' });
});

afterAll(async () => {
  await archive.remove();
  await rm(directory, { recursive: true });
});

const names = async (request: { packages: string[]; exclude?: string[] }) =>
  (await apt.resolve({ exclude: [], ...request })).map(({ name }) => name);

describe('resolve', () => {
  it('gives the closure of dependencies by name, without recommended packages', async () => {
    expect(await names({ packages: ['app'] })).toEqual(['app', 'library', 'mailer', 'tool']);
  });

  it('describes each package as the index of the archive does', async () => {
    const [library] = await apt.resolve({ packages: ['library'], exclude: [] });
    const bytes = await readFile(archive.file('pool/library_1%3a2.1_all.deb'));
    expect(library).toEqual({
      name: 'library',
      version: '1:2.1',
      architecture: 'all',
      filename: 'pool/library_1%3a2.1_all.deb',
      size: bytes.length,
      sha256: sha256(bytes),
      section: 'libs',
      source: 'lib-source',
      sourceVersion: '2.0',
      homepage: 'https://example.invalid',
      maintainer: 'Nobody <nobody@invalid>',
    });
    const [mailer] = await apt.resolve({ packages: ['mailer'], exclude: [] });
    expect(mailer).toMatchObject({
      source: 'mailer',
      sourceVersion: '1.0',
      replaces: ['mail-agent', 'old-mailer'],
    });
  });

  it('leaves out what is excluded, and what only that would bring', async () => {
    expect(await names({ packages: ['app'], exclude: ['tool', 'mailer'] })).toEqual(['app', 'library']);
  });

  it('takes one version, one suite, and the sole provider of a virtual package', async () => {
    const versions = async (spec: string) =>
      (await apt.resolve({ packages: [spec], exclude: [] })).map(({ name, version }) => `${name} ${version}`);
    expect(await versions('library=1.9')).toEqual(['library 1.9']);
    expect(await versions('library/test')).toEqual(['library 1:2.1']);
    expect(await versions('sole-service')).toEqual(['tool 1.0']);
  });

  it('gives nothing for nothing', async () => {
    expect(await names({ packages: [] })).toEqual([]);
  });

  it.each([
    ['libary', 'not-found', /no package "libary"/, /did you mean "library"/],
    ['library=3', 'not-found', /no version 3 of the package library/, /1:2.1, 1.9/],
    ['library/sid', 'not-found', /library in the suite "sid"/, /test/],
    ['mail-agent', 'not-found', /"mail-agent" is no package/, /mailer, other-mailer/],
    ['lib.*', 'config', /"lib\.\*" is not a package/, /name/],
    ['tool-', 'config', /"tool-" is not a package/, /name/],
  ])('explains that %s does not work', async (spec, kind, message, hint) => {
    await expect(apt.resolve({ packages: [spec], exclude: [] })).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  it('names an excluded package that does not exist', async () => {
    await expect(apt.resolve({ packages: ['app'], exclude: ['tol'] })).rejects.toMatchObject({
      kind: 'not-found',
      hint: 'did you mean "tool"?',
    });
  });

  it('names packages that exclude each other', async () => {
    await expect(apt.resolve({ packages: ['mailer', 'other-mailer'], exclude: [] })).rejects.toMatchObject({
      kind: 'conflict',
      cause: expect.objectContaining({ message: expect.stringMatching(/mailer : Conflicts: mail-agent/) }),
    });
  });

  it('refuses to want and exclude the same package', async () => {
    await expect(apt.resolve({ packages: ['tool=1.0'], exclude: ['tool'] })).rejects.toMatchObject({
      kind: 'config',
    });
  });

  it("leaves the state of the host's apt alone", async () => {
    const hostState = async () =>
      (
        await run('find', ['/var/lib/apt', '/var/cache/apt', '/var/lib/dpkg', '-printf', '%p %s %T@\\n'])
      ).stdout.toString();
    const before = await hostState();
    const other = await Apt.open({
      directory: join(directory, 'untouched'),
      sources: [archive.source],
      architecture: 'amd64',
    });
    await downloadPackages(
      other,
      await other.resolve({ packages: ['app'], exclude: [] }),
      join(directory, 'untouched'),
    );
    expect(await hostState()).toBe(before);
  });
});

describe('update', () => {
  it('asks the archive once, and again when it must', async () => {
    await apt.update();
    const before = archive.requests.length;
    await apt.update();
    expect(archive.requests.length).toBe(before);
    await apt.update({ force: true });
    expect(archive.requests.length).toBeGreaterThan(before);
  });

  it('says that a suite does not exist', async () => {
    const sources = [{ ...archive.source, suites: ['nonesuch'] }];
    const wrong = await Apt.open({ directory, sources, architecture: 'amd64' });
    await expect(wrong.update()).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('never shows a password', async () => {
    const uri = archive.source.uris[0]!.replace('//', '//user:secret@');
    const sources = [{ ...archive.source, uris: [uri], suites: ['nonesuch'] }];
    const error = await (await Apt.open({ directory, sources, architecture: 'amd64' }))
      .update()
      .catch(describeError);
    expect(error).toContain('nonesuch');
    expect(error).not.toContain('secret');
  });

  it('does not accept a signature of another key', async () => {
    const stranger = await TestArchive.start([]);
    const sources = [{ ...archive.source, signedBy: stranger.source.signedBy! }];
    const wrong = await Apt.open({ directory, sources, architecture: 'amd64' });
    await expect(wrong.resolve({ packages: ['app'], exclude: [] })).rejects.toMatchObject({
      kind: 'corrupt',
    });
    await stranger.remove();
  });
});

describe('downloadPackages', () => {
  let cache: string;
  beforeEach(async () => {
    cache = await mkdtemp(join(directory, 'cache-'));
  });

  it('keeps each package under its SHA-256, and nothing else', async () => {
    const lock = await apt.resolve({ packages: ['app'], exclude: [] });
    await downloadPackages(apt, lock, cache);
    expect((await readdir(join(cache, 'deb'))).sort()).toEqual(
      lock.map(({ sha256: digest }) => `${digest}.deb`).sort(),
    );
    for (const entry of lock) expect(sha256(await readFile(debPath(cache, entry)))).toBe(entry.sha256);
  });

  it('fetches only what is missing, and a file that was cut off again', async () => {
    const lock = await apt.resolve({ packages: ['app'], exclude: [] });
    await downloadPackages(apt, lock, cache);
    const before = archive.requests.length;
    await writeFile(debPath(cache, lock[1]!), 'torn');
    await downloadPackages(apt, lock, cache);
    expect(archive.requests.slice(before)).toEqual([expect.stringContaining('library')]);
    expect(sha256(await readFile(debPath(cache, lock[1]!)))).toBe(lock[1]!.sha256);
  });

  it('reports how far it is', async () => {
    const texts: string[] = [];
    const reporting = await Apt.open({
      directory,
      sources: [archive.source],
      architecture: 'amd64',
      onProgress: (text) => texts.push(text),
    });
    await downloadPackages(reporting, await reporting.resolve({ packages: ['app'], exclude: [] }), cache);
    expect(texts.at(-1)).toBe('packages: 100 %');
  });

  it('keeps nothing that is not what the lock says', async () => {
    const [entry] = await apt.resolve({ packages: ['tool'], exclude: [] });
    const lock = [{ ...entry!, sha256: 'f'.repeat(64) }];
    await expect(downloadPackages(apt, lock, cache)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringMatching(/tool 1.0/),
    });
    expect(await readdir(join(cache, 'deb'))).toEqual([]);
  });

  it('keeps nothing that the mirror has changed', async () => {
    const changed = await TestArchive.start([{ name: 'tool' }]);
    const other = await Apt.open({ directory, sources: [changed.source], architecture: 'amd64' });
    const lock = await other.resolve({ packages: ['tool'], exclude: [] });
    const deb = changed.file(lock[0]!.filename);
    const bytes = await readFile(deb);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(deb, bytes);
    await expect(downloadPackages(other, lock, cache)).rejects.toMatchObject({ kind: 'corrupt' });
    await appendFile(deb, 'more');
    await expect(downloadPackages(other, lock, cache)).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await readdir(join(cache, 'deb'))).toEqual([]);
    await changed.remove();
  });

  it('says that the archive has moved on', async () => {
    const moving = await TestArchive.start([{ name: 'tool', version: '1' }]);
    const other = await Apt.open({ directory, sources: [moving.source], architecture: 'amd64' });
    const lock = await other.resolve({ packages: ['tool'], exclude: [] });
    await moving.publish([{ name: 'tool', version: '2' }]);
    await other.update({ force: true });
    await expect(downloadPackages(other, lock, cache)).rejects.toMatchObject({
      kind: 'not-found',
      message: expect.stringMatching(/tool 1/),
    });
    await moving.remove();
  });

  it('works without the network once everything is there, and says so clearly where it is not', async () => {
    const leaving = await TestArchive.start([{ name: 'tool' }, { name: 'manual' }]);
    const options = { directory, sources: [leaving.source], architecture: 'amd64' };
    const lock = await (await Apt.open(options)).resolve({ packages: ['tool'], exclude: [] });
    await downloadPackages(await Apt.open(options), lock, cache);
    await leaving.stop();

    const offline = await Apt.open(options);
    expect(await offline.resolve({ packages: ['tool'], exclude: [] })).toEqual(lock);
    await downloadPackages(offline, lock, cache);
    const manual = await offline.resolve({ packages: ['manual'], exclude: [] });
    await expect(downloadPackages(offline, manual, cache)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(offline.update({ force: true })).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await offline.resolve({ packages: ['tool'], exclude: [] })).toEqual(lock);
    await leaving.remove();
  });
});
