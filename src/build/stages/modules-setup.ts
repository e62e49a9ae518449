import { textEntry } from '../../image/entries.ts';
import { closureOf } from '../../kernel/closure.ts';
import { ModuleIndex } from '../../kernel/module-index.ts';
import { parseModulesConf } from '../../kernel/modules-conf.ts';
import { Tree } from '../../tree/tree.ts';
import { type FlistsValue, flistNames } from '../flist-names.ts';
import { output, recipeFile, type Stage, value } from '../stage.ts';
import type { KernelValue } from './kernel-modules.ts';

export const modulesSetup: Stage = {
  name: 'modules_setup',
  summary: 'the closure of modules.conf, the order of stage1, the names of the flists',
  module: import.meta.filename,
  inputs: (recipe) => ({
    'modules.conf': recipeFile(recipe, 'modules.conf'),
    modules: output('kernel_modules', 'modules'),
    kernel: output('kernel_modules', 'kernel'),
    suite: output('base_configure', 'suite'),
    'image.yaml flists': value(recipe.values.flists),
    FIRMWARE_TAG: value(process.env['FIRMWARE_TAG'] ?? null),
  }),
  async run(access) {
    const kernel = await access.value<KernelValue>('kernel');
    const flists = await access.value<{ firmware_tag: string; base_url: string }>('image.yaml flists');
    const wanted = parseModulesConf(await access.text('modules.conf'), access.label('modules.conf'));
    const all = (await access.tree('modules')).subtree(`usr/lib/modules/${kernel.release}`);
    const closure = closureOf(wanted, await ModuleIndex.read(all));
    const stage1 = closure.modules.filter(({ stage }) => stage === 'stage1');
    const tag = (await access.value<string | null>('FIRMWARE_TAG')) || flists.firmware_tag;
    const firmwareTag = tag === 'suite' ? await access.value<string>('suite') : tag;
    const names = flistNames(kernel.release, firmwareTag);
    const settings = [`MODULES_FLIST=${names.modules}`, `FIRMWARE_FLIST=${names.firmware}`];
    if (flists.base_url !== '') settings.push(`FLISTS_BASE_URL=${flists.base_url}`);
    return {
      trees: {
        files: Tree.from([
          ['etc/modules.stage1', textEntry(stage1.map(({ name }) => `${name}\n`).join(''))],
          ['etc/zero-os-flists', textEntry(`${settings.join('\n')}\n`)],
        ]),
      },
      values: { closure, flists: { names, firmwareTag } satisfies FlistsValue },
      note: `${wanted.length} wanted: ${closure.modules.length} modules (${stage1.length} in stage1), ${closure.builtins.length} built in`,
    };
  },
};
