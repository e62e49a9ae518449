import { inspectRoot, judge } from '../../image/validate.ts';
import { auditFirmware, type FirmwareUser } from '../../kernel/firmware-audit.ts';
import { output, type Stage } from '../stage.ts';
import type { KernelValue } from './kernel-modules.ts';

export const validation: Stage = {
  name: 'validation',
  summary: 'looks for what would keep the image from working',
  module: import.meta.filename,
  inputs: () => ({
    root: output('cleanup', 'root'),
    kernel: output('kernel_modules', 'kernel'),
    'firmware users': output('modules_copy', 'firmwareUsers'),
    'all firmware': output('base_firmware', 'all'),
  }),
  async run(access) {
    const root = await access.tree('root');
    const { release } = await access.value<KernelValue>('kernel');
    const warnings = judge(await inspectRoot(root));
    const users = await access.value<FirmwareUser[]>('firmware users');
    const inImage = auditFirmware(users, root, release);
    const inFlist = auditFirmware(users, await access.tree('all firmware'), release);
    const nowhere = inFlist.missing.map(({ firmware, modules }) => ({ firmware, modules }));
    return {
      values: { warnings, missingFirmware: nowhere },
      note:
        `${root.size} entries, ${warnings.length} warnings; of ${inImage.asked} firmware files that its modules may ask for ` +
        `${inImage.present.length} are in the image, ${inFlist.present.length - inImage.present.length} more in the flist, ${nowhere.length} nowhere`,
    };
  },
};
