import { dirname, join } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { formatDuration } from '../../base/units.ts';
import { formatVerdict } from '../../boot/format-verdict.ts';
import { bootScenario } from '../../boot/scenario.ts';
import { scenarioNamed } from '../../boot/scenarios/all.ts';
import { output, type Stage, value } from '../stage.ts';
import type { ImageValue } from './initramfs-create.ts';

export const bootTests: Stage = {
  name: 'boot_tests',
  summary: 'boots the image in QEMU and judges it',
  module: import.meta.filename,
  inputs: (recipe) => ({
    kernel: output('kernel_build', 'kernel'),
    archive: output('initramfs_create', 'image'),
    image: output('initramfs_create', 'description'),
    'image.yaml boot_tests': value(recipe.values.boot_tests),
  }),
  async run(access) {
    const image = await access.value<ImageValue>('image');
    const kernel = (await access.tree('kernel')).file('vmlinuz')!.content.file!;
    const initramfs = (await access.tree('archive')).file(image.file)!.content.file!;
    const state = dirname(access.cache);
    const passed: string[] = [];
    for (const name of await access.value<string[]>('image.yaml boot_tests')) {
      const verdict = await bootScenario(scenarioNamed(name), {
        kernel,
        initramfs,
        buildId: image.buildId,
        logDirectory: join(state, 'logs'),
        stateDirectory: state,
        onEvent: (event) =>
          event.kind === 'reached' && access.reporter.status(`${name}: reached ${event.milestone}`),
      });
      if (verdict.outcome !== 'ready')
        throw new Failure('failed', formatVerdict(verdict), { hint: `read the console in ${verdict.log}` });
      passed.push(`${name} ready after ${formatDuration(verdict.duration)}`);
    }
    return { note: passed.join(', ') || 'the recipe names no scenario' };
  },
};
