import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bytesContent } from '../tree/content.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { selectFirmware } from './firmware.ts';
import { auditFirmware } from './firmware-audit.ts';
import { parseFirmwareConf } from './firmware-conf.ts';

const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
const file = (text: string): Entry => ({ kind: 'file', ...metadata, content: bytesContent(text) });
const link = (target: string): Entry => ({ kind: 'symlink', ...metadata, mode: 0o777, target });
const parse = (text: string) => parseFirmwareConf(text, 'firmware.conf');
const paths = (tree: Tree) => [...tree].filter(([, { kind }]) => kind !== 'directory').map(([path]) => path);

describe('firmware.conf', () => {
  test('lists what goes where, from which packages', () => {
    expect(parse('# cards\nimage:bnx2  firmware-bnx2\nflist:intel a|b intel/** i915/*.bin # more\n')).toEqual(
      [
        {
          target: 'image',
          name: 'bnx2',
          packages: ['firmware-bnx2'],
          patterns: ['bnx2/**'],
          place: { file: 'firmware.conf', line: 2 },
        },
        {
          target: 'flist',
          name: 'intel',
          packages: ['a', 'b'],
          patterns: ['intel/**', 'i915/*.bin'],
          place: { file: 'firmware.conf', line: 3 },
        },
      ],
    );
  });

  test.each([
    ['bnx2 firmware-bnx2', 'firmware.conf:1: bnx2 is not image:NAME or flist:NAME'],
    ['imag:bnx2 firmware-bnx2', 'firmware.conf:1: imag:bnx2 is not image:NAME or flist:NAME'],
    ['image:bnx2', 'firmware.conf:1: image:bnx2 names no package'],
    ['image:bnx2 a||b', 'firmware.conf:1: "" is not a package name'],
    [
      'image:bnx2 a ../../etc/*',
      'firmware.conf:1: ../../etc/* is not a pattern below the firmware directory',
    ],
    ['image:bnx2 a /lib/firmware/bnx2', 'firmware.conf:1: /lib/firmware/bnx2 is not a pattern'],
    ['image:x a\nflist:x a\nimage:x b', 'firmware.conf:3: image:x is already listed in line 1'],
  ])('refuses %j with its place', (text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ kind: 'config', message: expect.stringContaining(message) }),
    );
  });

  test('as it comes has the founding set, e100 in the flist only', async () => {
    const text = await readFile(
      join(import.meta.dirname, '../../config/profiles/debian/firmware.conf'),
      'utf8',
    );
    const entries = parseFirmwareConf(text);
    const names = new Set(entries.map(({ name }) => name));
    for (const name of ['bnx2', 'bnx2x', 'tigon', 'intel', 'realtek', 'rtl_nic', 'qlogic', 'e100'])
      expect(names).toContain(name);
    expect(entries.filter(({ name }) => name === 'e100').map(({ target }) => target)).toEqual(['flist']);
  });
});

describe('selected firmware', () => {
  const packages = new Map([
    [
      'old',
      Tree.from([
        ['lib/firmware/bnx2/a.fw', file('aaaa')],
        ['lib/firmware/bnx2/b.fw.zst', file('bb')],
        ['lib/firmware/i915/new.bin', link('old-1.bin')],
        ['lib/firmware/i915/old-1.bin', file('i')],
        ['usr/share/doc/old/copyright', file('c')],
      ]),
    ],
    [
      'new',
      Tree.from([
        ['usr/lib/firmware/e100/u.bin', file('u')],
        ['usr/lib/firmware/cards', link('/lib/firmware/real/cards')],
        ['usr/lib/firmware/real/cards/one.bin', file('1')],
        ['usr/lib/firmware/real/cards/two.bin', link('../../nowhere.bin')],
        ['usr/lib/firmware/round', link('about')],
        ['usr/lib/firmware/about', link('round')],
      ]),
    ],
  ]);
  const select = (conf: string) => selectFirmware(parse(conf), packages);

  test('is in the image and the flist, or in the flist only', () => {
    const { image, all, entries } = select('image:bnx2 old\nflist:e100 old|new|gone');
    expect(paths(image)).toEqual(['usr/lib/firmware/bnx2/a.fw', 'usr/lib/firmware/bnx2/b.fw.zst']);
    expect(paths(all)).toEqual([...paths(image), 'usr/lib/firmware/e100/u.bin']);
    expect(entries.map(({ packages: used, files, bytes }) => [used, files, bytes])).toEqual([
      [['old'], 2, 6],
      [['new'], 1, 1],
    ]);
  });

  test('matches compressed files by the name that drivers ask for', () => {
    expect(paths(select('image:b old bnx2/b.fw').image)).toEqual(['usr/lib/firmware/bnx2/b.fw.zst']);
  });

  test('comes with what its links lead to, and says which lead nowhere', () => {
    expect(paths(select('image:i old i915/new.bin').image)).toEqual([
      'usr/lib/firmware/i915/new.bin',
      'usr/lib/firmware/i915/old-1.bin',
    ]);
    const { image, entries } = select('image:cards new cards');
    expect(paths(image)).toEqual([
      'usr/lib/firmware/cards',
      'usr/lib/firmware/real/cards/one.bin',
      'usr/lib/firmware/real/cards/two.bin',
    ]);
    expect(entries[0]!.dangling).toEqual(['usr/lib/firmware/real/cards/two.bin']);
  });

  test('can be named through a linked directory', () => {
    expect(paths(select('image:one new cards/one.bin').image)).toEqual([
      'usr/lib/firmware/cards',
      'usr/lib/firmware/real/cards/one.bin',
    ]);
  });

  test.each([
    ['image:e100 old', 'firmware.conf:1: no file in old matches e100/**'],
    ['image:round new round', 'firmware.conf:1: no file in new matches round'],
    ['image:x gone|away', 'firmware.conf:1: none of the packages of image:x is there: gone, away'],
  ])('fails for %j', (conf, message) => {
    expect(() => select(conf)).toThrow(expect.objectContaining({ kind: 'config', message }));
  });
});

describe('a firmware audit', () => {
  const tree = Tree.from([
    ['lib', link('usr/lib')],
    ['usr/lib/firmware/tigon/tg3.bin', file('t')],
    ['usr/lib/firmware/rtl_nic/a.fw.zst', file('r')],
    ['usr/lib/firmware/updates/6.1.0/special.bin', file('s')],
    ['usr/lib/firmware/linked', link('tigon')],
    ['usr/lib/firmware/dead.bin', link('gone.bin')],
  ]);

  test('says what is asked for, what is there and what is not, with who asks', () => {
    const users = [
      { module: 'tg3', firmware: ['tigon/tg3.bin', 'tigon/tg3_tso.bin'] },
      { module: 'other', firmware: ['tigon/tg3_tso.bin', 'rtl_nic/a.fw', 'linked/tg3.bin', 'dead.bin'] },
      { module: 'wild', firmware: ['tigon/*.bin', 'none/*'] },
      { module: 'special', firmware: ['special.bin'] },
    ];
    const { asked, present, missing } = auditFirmware(users, tree, '6.1.0');
    expect(asked).toBe(8);
    expect(present.map(({ firmware, files }) => [firmware, ...files])).toEqual([
      ['tigon/tg3.bin', 'usr/lib/firmware/tigon/tg3.bin'],
      ['rtl_nic/a.fw', 'usr/lib/firmware/rtl_nic/a.fw.zst'],
      ['linked/tg3.bin', 'usr/lib/firmware/linked/tg3.bin'],
      ['tigon/*.bin', 'usr/lib/firmware/tigon/tg3.bin'],
      ['special.bin', 'usr/lib/firmware/updates/6.1.0/special.bin'],
    ]);
    expect(missing.map(({ firmware, modules }) => [firmware, ...modules])).toEqual([
      ['tigon/tg3_tso.bin', 'tg3', 'other'],
      ['dead.bin', 'other'],
      ['none/*', 'wild'],
    ]);
  });
});
