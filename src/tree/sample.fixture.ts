import { bytesContent } from './content.ts';
import { type Entry, Tree } from './tree.ts';

const time = { mtime: 1_700_000_000 };
const root = { uid: 0, gid: 0, ...time };
const linked: Entry = {
  kind: 'file',
  mode: 0o4755,
  ...root,
  content: bytesContent('hard linked'),
  hardLink: 'bin/one',
};

/** A tree with every kind that an archive can hold, owners that are not root, and names that need care. */
export const sampleTree = Tree.from([
  ['', { kind: 'directory', mode: 0o755, ...root }],
  ['bin', { kind: 'directory', mode: 0o751, ...root }],
  ['bin/one', linked],
  ['bin/two', linked],
  ['bin/zz three', linked],
  ['dev', { kind: 'directory', mode: 0o755, ...root }],
  ['dev/console', { kind: 'character', mode: 0o600, ...root, major: 5, minor: 1 }],
  ['dev/loop300', { kind: 'block', mode: 0o660, uid: 0, gid: 6, ...time, major: 7, minor: 300 }],
  ['dev/pipe', { kind: 'fifo', mode: 0o622, ...root }],
  ['empty', { kind: 'file', mode: 0, uid: 1000, gid: 1001, mtime: 0, content: bytesContent('') }],
  ['größe 漢字', { kind: 'file', mode: 0o644, ...root, content: bytesContent('x'.repeat(1025)) }],
  ['init', { kind: 'symlink', mode: 0o777, ...root, target: 'bin/one' }],
  [`long/${'n'.repeat(180)}`, { kind: 'symlink', mode: 0o777, ...root, target: `/${'t'.repeat(200)}` }],
  ['tmp', { kind: 'directory', mode: 0o1777, ...root }],
]);
