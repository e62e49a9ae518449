import { expect, test } from 'vitest';
import { findMount, parseMountInfo } from './mount-table.ts';

test('a line gives device, mountpoint, type and source, with and without optional fields', () => {
  const text = [
    '22 27 0:20 / /sys rw,nosuid shared:7 master:1 - sysfs sysfs rw',
    '42 27 0:39 / /tmp/with\\040space\\134 ro - fuse.g8ufs 13255 ro,user_id=0',
    'not a mount',
    '',
  ].join('\n');
  expect(parseMountInfo(text)).toEqual([
    { device: '0:20', mountpoint: '/sys', type: 'sysfs', source: 'sysfs' },
    { device: '0:39', mountpoint: '/tmp/with space\\', type: 'fuse.g8ufs', source: '13255' },
  ]);
});

test('the mounts of this machine can be read', async () => {
  expect((await findMount('/proc'))?.type).toBe('proc');
  expect(await findMount('/proc/no/such/mountpoint')).toBeUndefined();
});
