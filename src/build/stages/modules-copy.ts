import { formatBytes } from '../../base/units.ts';
import type { Closure } from '../../kernel/closure.ts';
import type { FirmwareUser } from '../../kernel/firmware-audit.ts';
import { reduceModules } from '../../kernel/reduce.ts';
import { output, type Stage } from '../stage.ts';
import type { KernelValue } from './kernel-modules.ts';

export const modulesCopy: Stage = {
  name: 'modules_copy',
  summary: 'the modules of the closure, with indexes of their own',
  module: import.meta.filename,
  inputs: () => ({
    closure: output('modules_setup', 'closure'),
    modules: output('kernel_modules', 'modules'),
    kernel: output('kernel_modules', 'kernel'),
  }),
  async run(access) {
    const directory = `usr/lib/modules/${(await access.value<KernelValue>('kernel')).release}`;
    const closure = await access.value<Closure>('closure');
    const { tree, modules } = await reduceModules((await access.tree('modules')).subtree(directory), closure);
    const firmwareUsers = modules
      .map(({ name, info }): FirmwareUser => ({ module: name, firmware: info.firmware }))
      .filter(({ firmware }) => firmware.length > 0);
    return {
      trees: { modules: tree.under(directory) },
      values: { firmwareUsers },
      note: `${modules.length} modules, ${formatBytes(tree.contentSize())}`,
    };
  },
};
