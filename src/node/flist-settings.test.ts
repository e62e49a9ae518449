import { describe, expect, it } from 'vitest';
import { type FlistSources, flistSettings, publicAddress } from './flist-settings.ts';

function settingsFor(
  cmdline: Record<string, string>,
  environment: Record<string, string> = {},
  image: Record<string, string> = {},
) {
  const sources: FlistSources = {
    cmdline: new Map(Object.entries(cmdline)),
    environment,
    image: new Map(Object.entries({ MODULES_FLIST: 'modules-6.1.fl', ...image })),
    memory: 8 << 20,
  };
  const settings = flistSettings('modules', sources);
  return 'off' in settings ? settings.off : settings;
}

const manifestFor = (...sources: Parameters<typeof settingsFor>) => {
  const settings = settingsFor(...sources);
  return typeof settings === 'string' ? settings : settings.manifest.href;
};

describe('the address of the flists', () => {
  it('comes from the command line before the environment before the image', () => {
    const [cmdline, environment, image] = ['c', 'e', 'i'].map((host) => ({
      FLISTS_BASE_URL: `http://${host}`,
    }));
    expect(manifestFor(cmdline!, environment, image)).toBe('http://c/manifests/modules-6.1.fl');
    expect(manifestFor({}, environment, image)).toBe('http://e/manifests/modules-6.1.fl');
    expect(manifestFor({}, {}, image)).toBe('http://i/manifests/modules-6.1.fl');
  });

  it('may be named FLIST_BASE_URL; FLISTS_BASE_URL of the same place wins, an empty one counts as none', () => {
    const both = { FLISTS_BASE_URL: 'http://s', FLIST_BASE_URL: 'http://one' };
    expect(manifestFor(both)).toBe('http://s/manifests/modules-6.1.fl');
    expect(manifestFor({ FLIST_BASE_URL: 'http://one' }, { FLISTS_BASE_URL: 'http://e' })).toBe(
      'http://one/manifests/modules-6.1.fl',
    );
    expect(manifestFor({ FLISTS_BASE_URL: '' }, { FLIST_BASE_URL: 'http://e' })).toBe(
      'http://e/manifests/modules-6.1.fl',
    );
  });

  it('keeps path, port, user and query; slashes at its end do not matter', () => {
    for (const base of ['https://u:p@h:8443/zos?t=1', 'https://u:p@h:8443/zos/?t=1']) {
      const settings = settingsFor({ FLISTS_BASE_URL: base });
      if (typeof settings === 'string') throw new Error(settings);
      expect(settings.manifest.href).toBe('https://u:p@h:8443/zos/manifests/modules-6.1.fl?t=1');
      expect(settings.blocks.href).toBe('https://u:p@h:8443/zos/blocks?t=1');
      expect(publicAddress(settings.manifest)).toBe('https://h:8443/zos/manifests/modules-6.1.fl');
    }
  });

  it('must be http or https, and a wrong one is not repeated', () => {
    for (const base of ['ftp://h/', 'flists', 'user:secret'])
      expect(() => settingsFor({ FLISTS_BASE_URL: base })).toThrow(
        /^FLISTS_BASE_URL is not an http or https address$/,
      );
  });
});

describe('no flist is wanted', () => {
  it('when the command line says so, even with an address', () => {
    expect(settingsFor({ 'zos.flists': 'off', FLISTS_BASE_URL: 'http://c' })).toMatch(/zos\.flists=off/);
  });

  it('without an address, or a name in the image', () => {
    expect(settingsFor({})).toMatch(/no FLISTS_BASE_URL/);
    expect(settingsFor({ FLISTS_BASE_URL: 'http://c' }, {}, { MODULES_FLIST: '' })).toMatch(
      /no MODULES_FLIST/,
    );
  });
});

it('the patience is a minute, or what the command line says', () => {
  const base = { FLISTS_BASE_URL: 'http://c' };
  expect(settingsFor(base)).toMatchObject({ patience: 60 });
  expect(settingsFor({ ...base, 'zos.flists.wait': '5' })).toMatchObject({ patience: 5 });
  expect(() => settingsFor({ ...base, 'zos.flists.wait': 'long' })).toThrow(/not a number of seconds/);
});

it('the cache may take an eighth of the memory, or what the command line says', () => {
  const base = { FLISTS_BASE_URL: 'http://c' };
  const sizeOf = (size: string) => settingsFor({ ...base, 'zos.flists.cache': size });
  expect(settingsFor(base)).toMatchObject({ cacheSize: 1 << 20 });
  expect(sizeOf('25%')).toMatchObject({ cacheSize: 2 << 20 });
  expect(sizeOf('3MiB')).toMatchObject({ cacheSize: 3 << 20 });
  expect(sizeOf('0')).toMatchObject({ cacheSize: 0 });
  for (const bad of ['', 'much', '101%', '-1'])
    expect(() => sizeOf(bad)).toThrow(/^zos\.flists\.cache=.* is no size of a cache/);
});
