import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { moduleNames, readLoadedModules } from './loaded-modules.ts';

it('names in modules.dep are spelt as the kernel does, whatever their compression', () => {
  const names = moduleNames(
    'kernel/drivers/hid/hid-generic.ko: kernel/drivers/hid/hid.ko\nkernel/drivers/hid/hid.ko:\nextra/a-b.ko.xz:\n\n',
  );
  expect([...names]).toEqual(['hid_generic', 'hid', 'a_b']);
});

it('loaded modules come from the image when its index has them, else from the flist', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'modules-'));
  try {
    const [proc, dep] = [join(directory, 'modules'), join(directory, 'modules.dep')];
    await writeFile(
      proc,
      'virtio_net 81920 0 - Live 0x0000000000000000\ne1000e 339968 0 - Live 0x0000000000000000 (E)\n',
    );
    await writeFile(dep, 'kernel/drivers/net/virtio_net.ko.zst: kernel/net/core/failover.ko.zst\n');
    expect(await readLoadedModules(proc, dep)).toEqual([
      { name: 'e1000e', origin: 'flist' },
      { name: 'virtio_net', origin: 'image' },
    ]);
    expect(await readLoadedModules(proc, join(directory, 'none'))).toMatchObject([
      { origin: 'flist' },
      { origin: 'flist' },
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
