import { describe, expect, it } from 'vitest';
import { parsePackageList } from './package-list.ts';

describe('parsePackageList', () => {
  it('reads packages, exclusions and comments', () => {
    const text =
      '# base\nbusybox-static\n  udev/trixie # with rules\n\nlibstdc++6=12.2.0-14+deb12u1\n-initramfs-tools\n';
    expect(parsePackageList(text, 'packages.list')).toEqual({
      packages: ['busybox-static', 'udev/trixie', 'libstdc++6=12.2.0-14+deb12u1'],
      exclude: ['initramfs-tools'],
    });
  });

  it('takes a package once that stands there twice', () => {
    expect(parsePackageList('kmod\nkmod\n-udev\n-udev\n', 'f')).toEqual({
      packages: ['kmod'],
      exclude: ['udev'],
    });
  });

  it.each([
    ['kmod udev', 'one package a line: kmod, udev'],
    ['kmod (= 30-1)', 'write: kmod=30-1'],
    ['kmod >= 30', 'write: kmod=30'],
    ['Kmod', 'no capitals: kmod'],
    ['kmod:i386', 'write name'],
    ['linux-image-*', 'write name'],
    ['kmod-', 'write name'],
    ['../kmod', 'write name'],
    ['-kmod=30', 'write: -kmod'],
    ['-', 'write name'],
    ['udev=252', 'keep one of the two lines'],
    ['-udev', 'keep one of the two lines'],
  ])('refuses %j with file, line and a suggestion', (line, hint) => {
    expect(() => parsePackageList(`udev\n# comment\n${line}\n`, 'config/packages.list')).toThrow(
      expect.objectContaining({
        kind: 'config',
        message: expect.stringMatching(/^config\/packages\.list:3: /),
        hint: expect.stringContaining(hint),
      }),
    );
  });
});
