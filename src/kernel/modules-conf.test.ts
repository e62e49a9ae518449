import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseModulesConf } from './modules-conf.ts';

const parse = (text: string) => parseModulesConf(text, 'modules.conf');

describe('modules.conf', () => {
  test('lists modules by stage, with comments', () => {
    const text = '# disks\n\nstage1:virtio-blk\n  stage2:nvme   # fast ones\nstage2:platform:dw-mmc\n';
    expect(parse(text)).toEqual([
      { stage: 'stage1', name: 'virtio-blk', place: { file: 'modules.conf', line: 3 } },
      { stage: 'stage2', name: 'nvme', place: { file: 'modules.conf', line: 4 } },
      { stage: 'stage2', name: 'platform:dw-mmc', place: { file: 'modules.conf', line: 5 } },
    ]);
  });

  test.each([
    [
      'stge1:ahci',
      'modules.conf:1: stge1:ahci is not stage1:NAME or stage2:NAME',
      'did you mean stage1:ahci?',
    ],
    [
      'ahci',
      'modules.conf:1: ahci is not stage1:NAME or stage2:NAME',
      'write stage2:ahci to have the module in the image',
    ],
    ['#\nstage1: ahci', 'modules.conf:2: stage1: names no module', 'write stage1:NAME without a blank'],
    [
      'stage2:xhci-pci.ko',
      'modules.conf:1: xhci-pci.ko is not a module name',
      'did you mean stage2:xhci-pci?',
    ],
    [
      'stage2:kernel/fs/x.ko',
      'modules.conf:1: kernel/fs/x.ko is not a module name',
      'did you mean stage2:x?',
    ],
    [
      'stage2:tg3 tigon/tg3.bin',
      'modules.conf:1: only one module name can stand on a line, not also tigon/tg3.bin',
      'firmware is chosen by config/firmware.conf alone',
    ],
    [
      'stage1:hid-generic\nstage2:hid_generic',
      'modules.conf:2: module hid_generic is already listed in line 1',
      'remove one of the two lines; stage1 is in the image too',
    ],
  ])('refuses %j with its place and what to do', (text, message, hint) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ kind: 'config', message, hint }));
  });

  test('as it comes leaves to the flist what the boot scenario expects there', async () => {
    const file = join(import.meta.dirname, '../../config/modules.conf');
    const names = parseModulesConf(await readFile(file, 'utf8')).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['fuse', 'overlay', 'virtio_net', 'usbhid', 'hid_generic', 'nvme']),
    );
    expect(names.filter((name) => /^(e1000e|igb|e100|snd.*)$/.test(name))).toEqual([]);
  });
});
