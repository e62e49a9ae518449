import { accountsTree } from '../../image/skeleton.ts';
import { parseFirmwareConf } from '../../kernel/firmware-conf.ts';
import type { Apt } from '../../package/deb/apt.ts';
import { parsePackageList } from '../../package/deb/package-list.ts';
import { type ArchiveInput, archiveInput, openApt } from '../debian-archive.ts';
import { recipeFile, type Stage, value } from '../stage.ts';

export const baseConfigure: Stage = {
  name: 'base_configure',
  summary: 'lets apt resolve the packages of image, kernel and firmware; writes accounts and names',
  module: import.meta.filename,
  inputs: async (recipe) => ({
    'packages.list': recipeFile(recipe, 'packages.list'),
    'firmware.conf': recipeFile(recipe, 'firmware.conf'),
    'image.yaml kernel': value(recipe.values.kernel),
    archive: await archiveInput(recipe.values),
  }),
  async run(access) {
    const archive = await access.value<ArchiveInput>('archive');
    const apt = await openApt(archive, access);
    const requested = parsePackageList(await access.text('packages.list'), access.label('packages.list'));
    const kernel = await access.value<string>('image.yaml kernel');
    const entries = parseFirmwareConf(await access.text('firmware.conf'), access.label('firmware.conf'));
    const image = await apt.resolve(requested);
    // What a kernel package depends on makes and installs initramfs images: that is our part.
    const kernelLock = await apt.resolve({
      packages: [kernel],
      exclude: ['initramfs-tools', 'kmod', 'linux-base'],
    });
    const firmware = await apt.resolve({
      packages: await present(
        apt,
        entries.flatMap(({ packages }) => packages),
      ),
      exclude: [],
    });
    return {
      trees: { files: accountsTree('zero-os') },
      values: { suite: archive.suite, image, kernel: kernelLock, firmware },
      note: `${archive.suite}: ${image.length} packages, kernel ${kernelLock.find(({ name }) => name === kernel)?.version ?? kernel}, ${firmware.length} firmware packages`,
    };
  },
};

/** Of the packages that may bring firmware, those that this suite has: files move between packages from suite to suite. */
async function present(apt: Apt, names: readonly string[]): Promise<string[]> {
  const known = new Set(await apt.packageNames());
  return [...new Set(names)].filter((name) => known.has(name));
}
