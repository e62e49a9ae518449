import { milestones } from '../../node/console.ts';
import type { Scenario } from '../scenario.ts';
import {
  buildIdMatches,
  filesMatch,
  flistIs,
  isDriven,
  moduleCameFrom,
  noFirmwareMissing,
  noUnitFailed,
  type PresentedDevice,
} from './expectations.ts';

/** Devices whose drivers no initramfs needs to carry: only the flist can have brought them. */
const lazilyDriven: readonly PresentedDevice[] = [
  { what: 'second network card', bus: 'pci', id: '8086:10d3', module: 'e1000e' },
  { what: 'third network card', bus: 'pci', id: '8086:1209', module: 'e100' },
  { what: 'sound card', bus: 'pci', id: '8086:2668', module: 'snd_hda_intel' },
];

const keyboard: PresentedDevice = { what: 'keyboard', bus: 'usb', id: '0627:0001', module: 'usbhid' };

/** A node that gets its drivers and its firmware from the flists of a hub. */
export const flists: Scenario = {
  name: 'flists',
  proves: 'drivers and firmware that are not in the image come out of lazily mounted flists',
  needsHub: true,
  network: 'user',
  devices: [
    // Networks of their own, so that a node that asks there for an address does not get that of its first card again.
    ['-netdev', 'user,id=second,net=10.0.3.0/24,restrict=on'],
    ['-device', 'e1000e,netdev=second,romfile='],
    ['-netdev', 'user,id=third,net=10.0.4.0/24,restrict=on'],
    ['-device', 'i82551,netdev=third,romfile='],
    ['-audiodev', 'none,id=silence'],
    ['-device', 'intel-hda'],
    ['-device', 'hda-output,audiodev=silence'],
    ['-device', 'qemu-xhci'],
    ['-device', 'usb-kbd'],
  ],
  commandLine: ({ flistsUrl }) => [`FLISTS_BASE_URL=${flistsUrl}`],
  milestones: ['kernel', ...milestones],
  expectations: ({ buildId, files }) => [
    buildIdMatches(buildId),
    flistIs('modules', 'mounted'),
    flistIs('firmware', 'mounted'),
    ...lazilyDriven.flatMap((device) => [isDriven(device), moduleCameFrom(device.module, 'flist')]),
    isDriven(keyboard),
    ...filesMatch(files),
    noFirmwareMissing,
    noUnitFailed,
  ],
};
