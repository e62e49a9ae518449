import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { requireFuse, sh } from '../../mount/test-flist.ts';
import { testDirectory } from '../../store/test-directory.ts';

beforeAll(requireFuse);

const program = join(import.meta.dirname, '../rfs.ts');

/** @param before a command that runs the program as somebody else */
async function doctor(before: readonly string[], ...args: readonly string[]) {
  const [first, ...rest] = [...before, process.execPath, program, 'doctor', ...args];
  const { code, stdout } = await run(first!, rest, { accept: [0, 1] });
  return { code, out: stdout.toString() };
}

test('root learns of everything that a mount can do here', async () => {
  const { code, out } = await doctor([], '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    way: 'mount',
    mount: {
      protocol: expect.stringMatching(/^7\.\d+$/),
      readahead: 1024,
      features: expect.arrayContaining(['asyncRead', 'parallelDirops', 'resend']),
    },
    passthrough: 'yes',
  });
  expect((await doctor([])).out).toMatch(
    /^mounting +yes, as root.*\npassthrough +yes.*\ntake-over +yes.*\nreadahead +1024 KiB\n$/,
  );
  expect(await sh('grep -c rfs-doctor /proc/mounts || :')).toBe('0\n');
});

test('who cannot mount is told why, and what to do', async () => {
  const nobody =
    'setpriv --reuid 65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search --';
  const closed = 'mknod -m 600 $0/fuse c 10 229; mount --bind $0/fuse /dev/fuse';
  const script = `${closed}; exec ${nobody} "$@"`;
  const { code, out } = await doctor(['unshare', '-m', 'sh', '-ec', script, await testDirectory()]);
  expect(code).toBe(1);
  expect(out).toMatch(/^mounting +no: cannot mount on .*\n +hint: .*unshare -Urm\n$/);
});

test('passthrough is denied to root of a user namespace, and to a cache on an overlay', async () => {
  const { code, out } = await doctor(['unshare', '-Urm']);
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/\npassthrough +no: .*\n +hint: run as root, not in a user namespace/),
  ]);
  const over = await testDirectory();
  await sh(`mount -t tmpfs none $1; cd $1; mkdir lower upper work merged`, over);
  onTestFinished(async () => {
    await sh('umount $1/merged || :; umount $1', over);
  });
  await sh('cd $1; mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged', over);
  expect((await doctor([], '--cache', join(over, 'merged/not/there'))).out).toMatch(
    /\npassthrough +no: the cache in .* lies on an overlay\n/,
  );
});
