import { describe, expect, test } from 'vitest';
import { isModulePath, moduleName, normalizeAlias, uncompressedPath } from './module-name.ts';

describe('module names', () => {
  test('come from the file name, with one spelling', () => {
    expect(moduleName('kernel/drivers/usb/host/xhci-pci.ko.zst')).toBe('xhci_pci');
    expect(moduleName('hid-generic.ko')).toBe('hid_generic');
    expect(moduleName('virtio_net')).toBe('virtio_net');
  });

  test('are of files that end as modules do', () => {
    expect(['a.ko', 'a.ko.gz', 'a.ko.xz', 'a.ko.zst'].every(isModulePath)).toBe(true);
    expect(['a.ko.bak', 'ako', 'a.ko.bz2', 'modules.order'].some(isModulePath)).toBe(false);
    expect(uncompressedPath('kernel/net/x.ko.xz')).toBe('kernel/net/x.ko');
  });

  test('in aliases keep the dash only where it is a range', () => {
    expect(normalizeAlias('platform:dw-mmc')).toBe('platform:dw_mmc');
    expect(normalizeAlias('usb:v04B4d00[0-9]-x')).toBe('usb:v04B4d00[0-9]_x');
    expect(normalizeAlias('broken[0-9')).toBeUndefined();
    expect(normalizeAlias('broken]')).toBeUndefined();
  });
});
