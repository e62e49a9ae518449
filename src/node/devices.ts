import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { basename, join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';

/** A device on a bus whose devices name themselves, with the driver that has it. */
export interface Device {
  readonly bus: 'pci' | 'usb' | 'virtio';
  /** `vendor:device` as four hex digits each, as `lspci -n` and `lsusb` show them. */
  readonly id: string;
  /** The name on its bus, such as `0000:00:02.0`; for USB that of an interface (`1-1:1.0`), which is what drivers bind to. */
  readonly address: string;
  readonly driver?: string;
  /** The module that holds the driver; none when it is built in. */
  readonly module?: string;
}

/** A network link with a device behind it. */
export interface NetworkInterface {
  readonly name: string;
  readonly mac: string;
  readonly driver?: string;
  /** Whether a cable with a live peer is in it. */
  readonly carrier: boolean;
  /** Addresses with their prefix length. */
  readonly addresses: readonly string[];
}

/** The PCI functions, USB interfaces and virtio devices of a sysfs, by bus and address (kernel `Documentation/ABI/testing/sysfs-bus-*`). */
export async function readDevices(sysfs: string): Promise<Device[]> {
  const buses = await Promise.all(
    (['pci', 'usb', 'virtio'] as const).map(async (bus) => {
      const directory = join(sysfs, 'bus', bus, 'devices');
      const addresses = (await names(directory)).filter((name) => bus !== 'usb' || name.includes(':'));
      return Promise.all(addresses.map((address) => readDevice(bus, join(directory, address), address)));
    }),
  );
  return buses.flat();
}

async function readDevice(bus: Device['bus'], link: string, address: string): Promise<Device> {
  const directory = await realpath(link);
  const [vendor, product] =
    bus === 'usb'
      ? ['../idVendor', '../idProduct'] // of the device that the interface belongs to
      : ['vendor', 'device'];
  const id = await Promise.all([vendor!, product!].map((name) => attribute(directory, name)));
  return {
    bus,
    id: id.map((part) => part.replace(/^0x/, '')).join(':'),
    address,
    ...(await driverOf(directory)),
  };
}

/** The links of a sysfs that have a device behind them: no loopback, bridge or tunnel. */
export async function readNetworkInterfaces(sysfs: string): Promise<NetworkInterface[]> {
  const addresses = networkInterfaces();
  const links = await Promise.all(
    (await names(join(sysfs, 'class/net'))).map(async (name) => {
      const directory = join(sysfs, 'class/net', name);
      if ((await linkName(join(directory, 'device'))) === undefined) return undefined;
      const { driver } = await driverOf(join(directory, 'device'));
      return {
        name,
        mac: await attribute(directory, 'address'),
        ...(driver !== undefined && { driver }),
        carrier: (await attribute(directory, 'carrier')) === '1',
        addresses: (addresses[name] ?? []).flatMap(({ cidr }) => cidr ?? []),
      };
    }),
  );
  return links.filter((link) => link !== undefined);
}

async function driverOf(device: string): Promise<{ driver?: string; module?: string }> {
  const driver = await linkName(join(device, 'driver'));
  const module = await linkName(join(device, 'driver/module'));
  return { ...(driver !== undefined && { driver }), ...(module !== undefined && { module }) };
}

async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort(compareBytes);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []; // a bus that this machine does not have
    throw error;
  }
}

/** An attribute of sysfs; empty when there is none or it has no value now (`carrier` of a link that is down: EINVAL). */
async function attribute(directory: string, name: string): Promise<string> {
  try {
    return (await readFile(join(directory, name), 'utf8')).trim();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return '';
  }
}

async function linkName(path: string): Promise<string | undefined> {
  try {
    return basename(await readlink(path));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
