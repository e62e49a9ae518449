import { output, type Stage } from '../stage.ts';
import type { KernelValue } from './kernel-modules.ts';

export const kernelBuild: Stage = {
  name: 'kernel_build',
  summary: 'the kernel that boots the image',
  module: import.meta.filename,
  inputs: () => ({ boot: output('kernel_modules', 'boot'), kernel: output('kernel_modules', 'kernel') }),
  async run(access) {
    const kernel = await access.value<KernelValue>('kernel');
    const boot = await access.tree('boot');
    return {
      trees: { kernel: boot.select((path) => path === 'vmlinuz') },
      note: `nothing to build: the recipe takes ${kernel.package}'s own vmlinuz`,
    };
  },
};
