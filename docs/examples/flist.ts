// Packs a directory, reads the flist back, checks every block and mounts it: flist.ts SOURCE WORK
import { mkdir } from 'node:fs/promises';
import { mountFlist, packTree, readManifest, verifyBlocks, walkManifest } from 'zosbuilder/flist';
import { openStore } from 'zosbuilder/store';
import { treeFromDirectory } from 'zosbuilder/tree';

const [source, work] = process.argv.slice(2) as [string, string];
const store = await openStore(`dir://${work}/blocks`);
const path = `${work}/example.fl`;
const packed = await packTree(await treeFromDirectory(source), { manifest: path, store, routes: [] });
console.log(`${packed.files} files in ${packed.blocks} blocks`);

const manifest = await readManifest(path);
for (const { path, inode } of walkManifest(manifest)) console.log(inode.mode.toString(8), `/${path}`);
const { damagedFiles } = await verifyBlocks(manifest, { store });
console.log(`${[...damagedFiles].length} damaged files`);

await mkdir(`${work}/mnt`);
const mounted = await mountFlist({ manifest, store, mountpoint: `${work}/mnt`, cache: `${work}/cache` });
console.log(`mounted on ${mounted.mountpoint}`); // other processes read it now
await mounted.unmount();
await mounted.done;
