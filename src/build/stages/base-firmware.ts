import { formatBytes } from '../../base/units.ts';
import { type SelectedFirmware, selectFirmware } from '../../kernel/firmware.ts';
import { parseFirmwareConf } from '../../kernel/firmware-conf.ts';
import type { Lock } from '../../package/deb/lock.ts';
import type { Tree } from '../../tree/tree.ts';
import { type ArchiveInput, archiveInput, fetchPackages } from '../debian-archive.ts';
import { output, recipeFile, type Stage } from '../stage.ts';

export const baseFirmware: Stage = {
  name: 'base_firmware',
  summary: 'takes from the firmware packages what firmware.conf names, and nothing else',
  module: import.meta.filename,
  inputs: async (recipe) => ({
    'firmware.conf': recipeFile(recipe, 'firmware.conf'),
    packages: output('base_configure', 'firmware'),
    archive: await archiveInput(recipe.values),
  }),
  async run(access) {
    const lock = await access.value<Lock>('packages');
    const treeOf = await fetchPackages(lock, await access.value<ArchiveInput>('archive'), access);
    const trees = new Map<string, Tree>();
    for (const entry of lock) trees.set(entry.name, await treeOf(entry));
    const { image, all, entries } = selectFirmware(
      parseFirmwareConf(await access.text('firmware.conf'), access.label('firmware.conf')),
      trees,
    );
    const total = (parts: readonly SelectedFirmware[]) => parts.reduce((sum, { files }) => sum + files, 0);
    const inImage = entries.filter(({ entry }) => entry.target === 'image');
    return {
      trees: { image, all },
      values: { firmware: entries },
      note: `${entries.length} entries of firmware.conf: ${total(entries)} files, ${formatBytes(all.contentSize())}; ${total(inImage)} files, ${formatBytes(image.contentSize())} in the image`,
    };
  },
};
