import type { Command } from 'commander';
import { formatTable } from '../../base/table.ts';
import { formatBytes } from '../../base/units.ts';
import type { ImageValue } from '../../build/stages/initramfs-create.ts';
import { printJson } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

export default function define(command: Command): void {
  withProjectOptions(command)
    .description('Shows the uncompressed bytes of the last image by package, modules, firmware and runtime.')
    .option('--json', 'print the parts as JSON')
    .action(async (options: ProjectCommandOptions) => {
      const { engine } = await sessionOf(options);
      const image = await engine.value<ImageValue>('initramfs_create', 'description');
      if (options.json) return printJson(image);
      const total = image.parts.reduce((sum, part) => sum + part.bytes, 0);
      const rows = image.parts.map(({ name, files, bytes }) => [
        name,
        `${files} files`,
        formatBytes(bytes),
        `${((100 * bytes) / total).toFixed(1)} %`,
      ]);
      for (const line of formatTable(rows, ['left', 'right', 'right', 'right'])) console.log(line);
      console.log(`${image.file}: ${formatBytes(image.bytes)} of ${formatBytes(total)}`);
    });
}
