import { expect, test } from 'vitest';
import { bytesContent } from './content.ts';
import { contentDigest, dumpTree } from './dump.ts';
import { Tree } from './tree.ts';

const emptyDigest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('the text form of a tree is a line of JSON an entry', async () => {
  const metadata = { mode: 0o644, uid: 1, gid: 2, mtime: 3 };
  const tree = Tree.from([
    ['z', { kind: 'character', ...metadata, major: 5, minor: 1 }],
    ['a', { kind: 'file', ...metadata, mtimeNs: 4, content: bytesContent(''), hardLink: 'a' }],
    ['l', { kind: 'symlink', ...metadata, target: 'a', xattrs: new Map([['user.x', Buffer.from('v')]]) }],
  ]);
  expect(await dumpTree(tree)).toBe(
    [
      '{"path":"","kind":"directory","mode":"0755","uid":0,"gid":0,"mtime":0}',
      `{"path":"a","kind":"file","mode":"0644","uid":1,"gid":2,"mtime":3,"ns":4,"size":0,"sha256":"${emptyDigest}","link":"a"}`,
      '{"path":"l","kind":"symlink","mode":"0644","uid":1,"gid":2,"mtime":3,"xattrs":{"user.x":"dg=="},"target":"a"}',
      '{"path":"z","kind":"character","mode":"0644","uid":1,"gid":2,"mtime":3,"device":[5,1]}',
      '',
    ].join('\n'),
  );
});

test('a digest that is known is not computed again', async () => {
  expect(await contentDigest(bytesContent('abc', 'known'))).toBe('known');
  expect(await contentDigest(bytesContent(''))).toBe(emptyDigest);
});
