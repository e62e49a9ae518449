import './rfs/prepare-mount.ts'; // first
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepHeapSmall } from '../base/small-heap.ts';
import { runFace } from './face.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

void runFace({
  name: 'rfs',
  description: 'Packs directories into flists, mounts them and shows what is in them.',
  version,
  onLoaded: keepHeapSmall,
  verbs: {
    mount: { summary: 'mount a flist read-only', load: () => import('./rfs/mount.ts') },
    upgrade: { summary: 'let a new server take over a mount', load: () => import('./rfs/upgrade.ts') },
    doctor: {
      summary: 'what mounts can do on this machine, and how to get the rest',
      load: () => import('./rfs/doctor.ts'),
    },
    pack: {
      summary: 'pack a directory, a tar archive, an image or a flist into a flist and a store',
      load: () => import('./rfs/pack.ts'),
    },
    unpack: { summary: 'write the files of a flist into a directory', load: () => import('./rfs/unpack.ts') },
    docker: {
      summary: 'make a flist of a container image',
      load: () => import('./rfs/docker.ts'),
    },
    clone: { summary: 'copy the blocks of a flist to other stores', load: () => import('./rfs/clone.ts') },
    sync: {
      summary: 'copy the blocks that one store has and another has not',
      load: () => import('./rfs/sync.ts'),
    },
    gc: { summary: 'remove the blocks of a store that no flist needs', load: () => import('./rfs/gc.ts') },
    cache: {
      summary: 'what is in the cache of mounts; clean, verify and pin it',
      load: () => import('./rfs/cache.ts'),
    },
    diff: { summary: 'what is another in a newer flist', load: () => import('./rfs/diff.ts') },
    du: { summary: 'what flists hold, alone and shared', load: () => import('./rfs/du.ts') },
    dump: { summary: 'print everything in a flist as text', load: () => import('./rfs/dump.ts') },
    'from-dump': { summary: 'make the flist of a dump', load: () => import('./rfs/from-dump.ts') },
    verify: { summary: 'check a flist and every block that it needs', load: () => import('./rfs/verify.ts') },
    top: { summary: 'show what mounts are doing', load: () => import('./rfs/top.ts') },
    flist: { summary: 'show what is in a flist', load: () => import('./rfs/flist.ts') },
    config: {
      summary: 'list and change the tags and stores of a flist',
      load: () => import('./rfs/config.ts'),
    },
  },
});
