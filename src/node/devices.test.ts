import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readDevices, readNetworkInterfaces } from './devices.ts';

let sysfs: string;
beforeEach(async () => {
  sysfs = await mkdtemp(join(tmpdir(), 'sysfs-'));
});
afterEach(() => rm(sysfs, { recursive: true }));

async function attribute(path: string, value: string) {
  await mkdir(dirname(join(sysfs, path)), { recursive: true });
  await writeFile(join(sysfs, path), `${value}\n`);
}

async function link(path: string, target: string) {
  await mkdir(dirname(join(sysfs, path)), { recursive: true });
  await mkdir(join(sysfs, target), { recursive: true });
  await symlink(join(sysfs, target), join(sysfs, path));
}

it('devices are those of PCI, USB interfaces and virtio, with their drivers and the modules behind them', async () => {
  const nic = 'devices/pci0000:00/0000:00:02.0';
  await link('bus/pci/devices/0000:00:02.0', nic);
  await attribute(`${nic}/vendor`, '0x8086');
  await attribute(`${nic}/device`, '0x10d3');
  await link(`${nic}/driver`, 'bus/pci/drivers/e1000e');
  await link('bus/pci/drivers/e1000e/module', 'module/e1000e');

  await link('bus/pci/devices/0000:00:01.0', 'devices/pci0000:00/0000:00:01.0');
  await attribute('devices/pci0000:00/0000:00:01.0/vendor', '0x1234');
  await attribute('devices/pci0000:00/0000:00:01.0/device', '0x1111');

  const keyboard = 'devices/usb1/1-1';
  await link('bus/usb/devices/1-1', keyboard);
  await link('bus/usb/devices/1-1:1.0', `${keyboard}/1-1:1.0`);
  await attribute(`${keyboard}/idVendor`, '0627');
  await attribute(`${keyboard}/idProduct`, '0001');
  await link(`${keyboard}/1-1:1.0/driver`, 'bus/usb/drivers/usbhid');

  expect(await readDevices(sysfs)).toEqual([
    { bus: 'pci', id: '1234:1111', address: '0000:00:01.0' },
    { bus: 'pci', id: '8086:10d3', address: '0000:00:02.0', driver: 'e1000e', module: 'e1000e' },
    { bus: 'usb', id: '0627:0001', address: '1-1:1.0', driver: 'usbhid' },
  ]);
});

it('network interfaces are those with a device, whether they are up or not', async () => {
  await link('class/net/eth7/device', 'devices/nic');
  await link('devices/nic/driver', 'bus/pci/drivers/igb');
  await attribute('class/net/eth7/address', '52:54:00:12:34:56');
  await attribute('class/net/lo/address', '00:00:00:00:00:00');
  expect(await readNetworkInterfaces(sysfs)).toEqual([
    { name: 'eth7', mac: '52:54:00:12:34:56', driver: 'igb', carrier: false, addresses: [] },
  ]);
});

it('a machine without these buses has no devices', async () => {
  expect(await readDevices(sysfs)).toEqual([]);
  expect(await readNetworkInterfaces(sysfs)).toEqual([]);
});
