// A directory with a layer over it as a tar and as an initramfs, owned by root, without being root: tree.ts SOURCE WORK
import { writeFile } from 'node:fs/promises';
import { bytesContent, cpioOf, dumpTree, overlay, Tree, tarOf, treeFromDirectory } from 'zosbuilder/tree';

const [source, work] = process.argv.slice(2) as [string, string];
const owned = { uid: 0, gid: 0, mtime: 1_700_000_000 };
const lower = (await treeFromDirectory(source)).map((_, entry) => ({ ...entry, ...owned }));
const layer = Tree.from([
  ['', { kind: 'directory', mode: 0o755, ...owned }],
  ['etc/hostname', { kind: 'file', mode: 0o644, ...owned, content: bytesContent('node\n') }],
  ['dev/console', { kind: 'character', mode: 0o600, ...owned, major: 5, minor: 1 }],
  ['init', { kind: 'symlink', mode: 0o777, ...owned, target: 'bin/sh' }],
]);
const whole = overlay(lower, layer);

await writeFile(`${work}/tree.tar`, tarOf(whole));
await writeFile(`${work}/tree.cpio`, cpioOf(whole));
console.log(await dumpTree(whole)); // sorted text: equal trees, equal bytes
