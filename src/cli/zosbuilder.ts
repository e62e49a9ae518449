import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runFace } from './face.ts';

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
  version: string;
};

await runFace({
  name: 'zosbuilder',
  description:
    'Builds stateless Linux node images the Zero-OS way: a small initramfs, and everything else in flists.',
  version,
  verbs: {
    quickstart: {
      summary: 'build, publish, serve and boot on this machine, and show the verdict',
      load: () => import('./zosbuilder/quickstart.ts'),
    },
    build: { summary: 'run the stages that are stale', load: () => import('./zosbuilder/build.ts') },
    stages: {
      summary: 'show which stages are fresh, stale or missing',
      load: () => import('./zosbuilder/stages.ts'),
    },
    explain: {
      summary: 'why a path, module:NAME or firmware:NAME is in the image, in a flist, or not',
      load: () => import('./zosbuilder/explain.ts'),
    },
    size: { summary: 'bytes of the image by what brought them', load: () => import('./zosbuilder/size.ts') },
    kernel: { summary: 'about the kernel of the image', load: () => import('./zosbuilder/kernel.ts') },
    publish: {
      summary: 'pack modules and firmware into flists',
      load: () => import('./zosbuilder/publish.ts'),
    },
    boot: { summary: 'boot the image in QEMU and judge it', load: () => import('./zosbuilder/boot.ts') },
    hub: { summary: 'serve manifests and blocks over HTTP', load: () => import('./zosbuilder/hub.ts') },
  },
});
