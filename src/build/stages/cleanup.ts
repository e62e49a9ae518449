import { formatBytes } from '../../base/units.ts';
import { removePaths } from '../../image/cleanup.ts';
import { overlay } from '../../tree/overlay.ts';
import { output, type Stage, value } from '../stage.ts';

export const cleanup: Stage = {
  name: 'cleanup',
  summary: 'lays everything together and removes what no node needs',
  module: import.meta.filename,
  inputs: (recipe) => ({
    'base_packages root': output('base_packages', 'root'),
    'base_firmware image': output('base_firmware', 'image'),
    'init_script files': output('init_script', 'files'),
    'zinit_setup files': output('zinit_setup', 'files'),
    'modules_setup files': output('modules_setup', 'files'),
    'modules_copy modules': output('modules_copy', 'modules'),
    'image.yaml cleanup': value(recipe.values.cleanup),
  }),
  async run(access) {
    const root = removePaths(
      await access.tree('base_packages root'),
      await access.value<string[]>('image.yaml cleanup'),
    );
    const tree = overlay(
      root.tree,
      await access.tree('base_firmware image'),
      await access.tree('modules_copy modules'),
      await access.tree('init_script files'),
      await access.tree('zinit_setup files'),
      await access.tree('modules_setup files'),
    );
    return {
      trees: { root: tree },
      note: `${tree.size} entries, ${formatBytes(tree.contentSize())}; ${root.removed} entries (${formatBytes(root.bytes)}) left out`,
    };
  },
};
