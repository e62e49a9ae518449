import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { decodeName } from '../base/names.ts';
import { testDirectory } from '../store/test-directory.ts';
import { dumpLines } from './dump.ts';
import { writeDump } from './from-dump.ts';
import { manifestOf, readManifest, writeManifest } from './manifest/manifest.ts';
import { manifestArbitrary, manifestFile, sampleManifest, sampleRows } from './manifest/test-manifest.ts';

async function* linesOf(text: readonly string[]) {
  yield* text;
}

const head = '{"flist":1}';
const root = '{"path":"","kind":"directory","mode":"0755","uid":0,"gid":0,"mtime":0}';

describe('a dump', () => {
  test('has a line for everything in a manifest', () => {
    const [id, key] = ['aa'.repeat(32), 'bb'.repeat(32)];
    const at = '"mtime":1700000000';
    expect([...dumpLines(sampleManifest())]).toEqual([
      head,
      '{"tag":"author","value":"the tests"}',
      '{"tag":"version","value":"1"}',
      '{"route":"dir:///srv/low","start":0,"end":127}',
      '{"route":"https://host/high","start":128,"end":255}',
      `{"path":"","kind":"directory","mode":"0755","uid":0,"gid":0,${at}}`,
      `{"path":"dir","kind":"directory","mode":"1777","uid":0,"gid":0,${at}}`,
      `{"path":"dir/file","kind":"file","mode":"4755","uid":1000,"gid":2,${at},"size":524289}`,
      `{"id":"${id}","key":"${key}"}`,
      `{"id":"${'cc'.repeat(32)}","key":"${'dd'.repeat(32)}"}`,
      `{"path":"dir/link","kind":"symlink","mode":"0777","uid":0,"gid":0,${at},"target":"file"}`,
      '{"path":"fifo","kind":"fifo","mode":"0600","uid":0,"gid":0,"mtime":-1,"ctime":1700000000}',
      `{"path":"null","kind":"character","mode":"0666","uid":0,"gid":0,${at},"device":[1,3]}`,
      `{"path":"sda","kind":"block","mode":"0660","uid":0,"gid":0,${at},"device":[8,0]}`,
      `{"path":"socket","kind":"socket","mode":"0600","uid":0,"gid":0,${at}}`,
      `{"path":"ünïcode 📦","kind":"file","mode":"0644","uid":0,"gid":0,${at},"size":0}`,
    ]);
  });

  test('has what is in private tables, and escapes what a terminal would obey', () => {
    const [first] = sampleRows().inodes;
    const file = { ...first!, parent: 1, mode: 0o100644, size: 0, mtimeNs: 5 };
    const inodes = [
      first!,
      {
        ...file,
        ino: 2,
        name: decodeName(Buffer.from('\x1b\x9b\u200e\xff')),
        xattrs: new Map([['user.a', Buffer.of(1)]]),
      },
      { ...file, ino: 3, name: 'z', link: 2, xattrs: new Map([['user.a', Buffer.of(1)]]) },
      { ...file, ino: 4, name: decodeName(Buffer.of(0xff)), rdev: 2 ** 40, mode: 0o40700, size: 7 },
    ];
    const lines = [...dumpLines(manifestOf({ inodes }))].slice(2);
    const rest = '"kind":"file","mode":"0644","uid":0,"gid":0,"mtime":1700000000,"ns":5,"size":0';
    const path = '\\u001b\\u009b\\u200eÿ';
    expect(lines).toEqual([
      `{"path":"${path}",${rest},"link":"${path}","xattrs":{"user.a":"AQ=="}}`,
      `{"path":"z",${rest},"link":"${path}","xattrs":{"user.a":"AQ=="}}`,
      '{"path":"\\udcff","kind":"directory","mode":"0700","uid":0,"gid":0,"mtime":1700000000,"ns":5,"size":7,"rdev":1099511627776}',
    ]);
  });

  test('names what is to be fetched ahead by paths, in its order', () => {
    const prefetch = [
      { ino: 3, first: 1, last: 1 },
      { ino: 3, first: 0, last: 0 },
    ];
    expect([...dumpLines(sampleManifest().with({ prefetch }))].slice(5, 7)).toEqual([
      '{"prefetch":"dir/file","first":1,"last":1}',
      '{"prefetch":"dir/file","first":0,"last":0}',
    ]);
  });

  test('makes the very manifest again, for any manifest', async () => {
    const directory = await testDirectory();
    const [made, again] = [join(directory, 'made.fl'), join(directory, 'again.fl')];
    await fc.assert(
      fc.asyncProperty(manifestArbitrary, async (manifest) => {
        await writeManifest(made, manifest);
        await writeDump(linesOf([...dumpLines(await readManifest(made))]), 'dump', again);
        expect(sha256(await readFile(again))).toBe(sha256(await readFile(made)));
      }),
      { numRuns: 60 },
    );
  });

  test('does not depend on the numbers and the order of the inodes', async () => {
    const path = await manifestFile(
      `UPDATE inode SET ino = 100 WHERE ino = 2; UPDATE inode SET parent = 100 WHERE parent = 2`,
    );
    expect([...dumpLines(await readManifest(path))]).toEqual([...dumpLines(sampleManifest())]);
  });
});

describe('what is no dump is refused, with the line, and the former manifest stays:', () => {
  const file = '{"path":"a","kind":"file","mode":"0644","uid":0,"gid":0,"mtime":0,"size":0}';
  const changed = (from: string, to: string) => file.replace(from, to);

  test.each<[what: string, lines: string[], line: number, why: RegExp]>([
    ['nothing', [], 0, /empty/],
    ['no JSON', ['flist'], 1, /JSON/],
    ['no object', ['[1]'], 1, /object/],
    ['no head', [root], 1, /"flist"/],
    ['another version', ['{"flist":2}'], 1, /version/],
    ['no root', [head], 1, /no root/],
    ['a block without a file', [head, '{"id":"","key":""}'], 2, /before its file/],
    ['a file without its directory', [head, root, changed('"a"', '"b/a"')], 3, /directory of "b\/a"/],
    ['a file without a size', [head, root, changed(',"size":0', '')], 3, /"size"/],
    [
      'a file without its blocks',
      [head, root, changed('"size":0', '"size":1'), changed('"a"', '"b"')],
      4,
      /0 blocks/,
    ],
    ['a kind that is none', [head, root, changed('"file"', '"toString"')], 3, /kind/],
    ['a mode that is not octal', [head, root, changed('0644', '0648')], 3, /octal/],
    ['a number that is text', [head, root, changed('"uid":0', '"uid":"0"')], 3, /"uid"/],
    ['a name that leaves the tree', [head, root, changed('"a"', '".."')], 3, /name/],
    ['a field of no meaning', [head, root, changed('"gid"', '"x":1,"gid"')], 3, /"x"/],
    ['a link to nothing', [head, root, changed('"gid"', '"link":"b","gid"')], 3, /linked/],
    [
      'an attribute that is not base64',
      [head, root, changed('"gid"', '"xattrs":{"user.a":"?"},"gid"')],
      3,
      /base64/,
    ],
    ['blocks to fetch ahead of no file', [head, '{"prefetch":"b","first":0,"last":0}', root], 3, /"b"/],
    ['a device that is no pair', [head, root, changed('"gid"', '"device":[1],"gid"')], 3, /pair/],
  ])('%s', async (_, lines, line, why) => {
    const path = join(await testDirectory(), 'test.fl');
    await writeFile(path, 'the former one');
    const failure = await writeDump(linesOf(lines), 'the dump', path).catch((error) => error);
    expect(failure).toMatchObject({ kind: 'corrupt', message: `line ${line} of the dump makes no manifest` });
    expect(failure.cause).toMatch(why);
    expect(await readFile(path, 'utf8')).toBe('the former one');
  });
});
