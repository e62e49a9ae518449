import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const shell = promisify(execFile);

test('a machine without the device is told that it has no FUSE, and what to do', async () => {
  const program = `
    import { openDevice } from ${JSON.stringify(join(import.meta.dirname, 'device.ts'))};
    try { openDevice() } catch (error) { console.log(JSON.stringify({ ...error, message: error.message })) }`;
  const script = 'mount -t tmpfs none /dev && exec "$@"';
  const node = [process.execPath, '--input-type=module', '-e', program];
  const { stdout } = await shell('unshare', ['-m', 'sh', '-ec', script, 'sh', ...node]);
  expect(JSON.parse(stdout)).toMatchObject({
    kind: 'unavailable',
    message: 'no FUSE: cannot open /dev/fuse',
    hint: expect.stringContaining('modprobe fuse'),
  });
});
