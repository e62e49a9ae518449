import type { Stage } from './stage.ts';
import { baseConfigure } from './stages/base-configure.ts';
import { baseExtract } from './stages/base-extract.ts';
import { baseFirmware } from './stages/base-firmware.ts';
import { basePackages } from './stages/base-packages.ts';
import { bootTests } from './stages/boot-tests.ts';
import { cleanup } from './stages/cleanup.ts';
import { componentsBuild, componentsCopy, componentsVerify } from './stages/components.ts';
import { initScript } from './stages/init-script.ts';
import { initramfsCreate } from './stages/initramfs-create.ts';
import { initramfsTest } from './stages/initramfs-test.ts';
import { kernelBuild } from './stages/kernel-build.ts';
import { kernelModules } from './stages/kernel-modules.ts';
import { modulesCopy } from './stages/modules-copy.ts';
import { modulesSetup } from './stages/modules-setup.ts';
import { validation } from './stages/validation.ts';
import { zinitSetup } from './stages/zinit-setup.ts';

/** Every stage, in the order of `stageNames`. */
export const stages: readonly Stage[] = [
  baseExtract,
  baseConfigure,
  basePackages,
  baseFirmware,
  componentsBuild,
  componentsVerify,
  kernelModules,
  initScript,
  componentsCopy,
  zinitSetup,
  modulesSetup,
  modulesCopy,
  cleanup,
  validation,
  initramfsCreate,
  initramfsTest,
  kernelBuild,
  bootTests,
];
