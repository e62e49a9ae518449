import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  formatSources,
  parseDeb822Sources,
  parseSourcesList,
  readHostArchive,
  sourcesFor,
} from './apt-sources.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const mirror = 'http://mirror.invalid/debian';
const security = 'http://mirror.invalid/debian-security';

describe('parseSourcesList', () => {
  it('reads the one-line form', () => {
    const text = [
      '# deb http://comment.invalid/debian bookworm main',
      `deb ${mirror} bookworm main contrib # comment`,
      `deb-src ${mirror} bookworm main`,
      `  deb [ arch=amd64 signed-by=${keyring},/other.gpg ] ${security} bookworm-security main`,
      'deb [trusted=yes] file:/srv/own ./',
      'nonsense',
    ].join('\n');
    expect(parseSourcesList(text)).toEqual([
      { uris: [mirror], suites: ['bookworm'], components: ['main', 'contrib'] },
      {
        uris: [security],
        suites: ['bookworm-security'],
        components: ['main'],
        signedBy: `${keyring} /other.gpg`,
      },
    ]);
  });
});

describe('parseDeb822Sources', () => {
  it('reads what formatSources writes, with a whole key in it', () => {
    const sources = [
      {
        uris: [mirror, security],
        suites: ['sid', 'trixie'],
        components: ['main'],
        signedBy: '\n-----BEGIN\n.\nabc\n-----END',
      },
      { uris: [mirror], suites: ['sid'], components: ['main', 'non-free'] },
    ];
    expect(parseDeb822Sources(formatSources(sources))).toEqual(sources);
  });

  it('leaves out disabled entries and those for sources only', () => {
    expect(
      parseDeb822Sources(`Types: deb-src\nURIs: ${mirror}\n\nEnabled: no\nTypes: deb\nURIs: ${mirror}\n`),
    ).toEqual([]);
  });
});

describe('the archive of the host', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'apt-sources-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const host = async (files: Record<string, string>, codename = 'bookworm') => {
    for (const [name, text] of Object.entries({
      ...files,
      'os-release': `ID=debian\nVERSION_CODENAME=${codename}\n`,
    })) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    return readHostArchive(directory, join(directory, 'os-release'));
  };
  const deb822 = (uri: string, suites: string, components = 'main', signedBy = keyring) =>
    `Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: ${components}\nSigned-By: ${signedBy}\n`;

  it("is Debian's own among all sources", async () => {
    const archive = await host({
      'sources.list': '# moved\n',
      'sources.list.d/debian.sources': `${deb822(mirror, 'bookworm bookworm-updates bookworm-backports')}\n${deb822(security, 'bookworm-security')}`,
      'sources.list.d/container.list':
        'deb [signed-by=/etc/apt/keyrings/c.asc] https://c.invalid/linux/debian bookworm main\n',
      'sources.list.d/database.list': 'deb https://db.invalid/repos/apt bookworm main\n',
      'sources.list.d/node.sources': deb822(
        'https://node.invalid/debian',
        'nodistro',
        'main',
        '/usr/share/keyrings/node.gpg',
      ),
      'sources.list.d/cloud.list.disabled': `deb ${mirror}-cloud bookworm main\n`,
    });
    expect(archive).toEqual({
      suite: 'bookworm',
      mirrors: [
        { uris: [mirror], role: 'release', signedBy: keyring },
        { uris: [mirror], role: 'updates', signedBy: keyring },
        { uris: [security], role: 'security', signedBy: keyring },
      ],
    });
  });

  it('is known by its path where the keyring is left to apt, once however often it is written', async () => {
    const line = `deb ${mirror}/ buster main\n`;
    const archive = await host(
      {
        'sources.list': `${line}deb http://security.invalid/ buster/updates main\n`,
        'sources.list.d/again.list': line,
      },
      'buster',
    );
    expect(archive.mirrors).toEqual([
      { uris: [`${mirror}/`], role: 'release' },
      { uris: ['http://security.invalid/'], role: 'security' },
    ]);
  });

  it('follows an alias where the sources do', async () => {
    const archive = await host({ 'sources.list': `deb ${mirror} stable main\n` });
    expect(sourcesFor(archive, { components: ['main'] })).toEqual([
      { uris: [mirror], suites: ['stable'], components: ['main'] },
    ]);
  });

  it('has other suites under the names that they have there', async () => {
    const archive = await host({
      'sources.list': `deb ${mirror} bookworm main\ndeb ${mirror} bookworm-updates main\ndeb ${security} bookworm-security main\n`,
    });
    const suites = (suite?: string) =>
      sourcesFor(archive, {
        components: ['main', 'non-free-firmware'],
        ...(suite !== undefined && { suite }),
      }).map((source) => `${source.uris} ${source.suites} ${source.components}`);
    const all = 'main,non-free-firmware';
    expect(suites()).toEqual([
      `${mirror} bookworm ${all}`,
      `${mirror} bookworm-updates ${all}`,
      `${security} bookworm-security ${all}`,
    ]);
    expect(suites('trixie')).toEqual([
      `${mirror} trixie ${all}`,
      `${mirror} trixie-updates ${all}`,
      `${security} trixie-security ${all}`,
    ]);
    expect(suites('buster')).toEqual([
      `${mirror} buster ${all}`,
      `${mirror} buster-updates ${all}`,
      `${security} buster/updates ${all}`,
    ]);
    expect(suites('sid')).toEqual([`${mirror} sid ${all}`]);
  });

  it('must be there', async () => {
    await expect(
      host({ 'sources.list': 'deb https://db.invalid/apt bookworm main\n' }),
    ).rejects.toMatchObject({
      kind: 'config',
      message: expect.stringContaining('bookworm'),
    });
    await expect(readHostArchive(join(directory, 'none'), join(directory, 'none'))).rejects.toMatchObject({
      kind: 'config',
    });
  });
});
