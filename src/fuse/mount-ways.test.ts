/** Every way of mounting, each as a user who has no other. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Outcome } from './mount-ways.fixture.ts';
import { dataByte, dataSize } from './serve.fixture.ts';
import { requireRoot, sh } from './test-mount.ts';

beforeAll(requireRoot);

const data = Uint8Array.from({ length: dataSize }, (_, i) => dataByte(i));
const digest = createHash('sha256').update(data).digest('hex');
const read = 'sha256sum <$1/data; ls $1';
const whole = { output: `${digest}  -\ndata\nlink\n`, isGone: true };

interface World {
  /** Made in a mount namespace of its own before it becomes another user; `$dir` is a directory for everything. */
  readonly prepare?: string;
  /** The command that becomes another user, if any. */
  readonly become?: string;
  readonly script?: string;
  /** Where the programs of this room are, when not here. */
  readonly room?: string;
}

/** Nobody, but for being able to read the files of this project wherever they are. */
const nobody =
  'setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search --';

/** The device as most machines have it, open to all. */
const openDeviceToAll =
  'mknod -m 666 $dir/fuse c 10 229; mount --bind $dir/fuse /dev/fuse; chown 65534:65534 $dir/mnt;';

async function mountIn({ prepare = '', become = '', script = read, room }: World): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'mount-ways-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const program = join(room ?? import.meta.dirname, 'mount-ways.fixture.ts');
  const steps = `dir=$1; mkdir $dir/mnt; chmod 755 $dir; ${prepare} exec ${become} "$2" "$3" $dir/mnt "$4"`;
  const output = await sh(
    `exec unshare -m sh -euc '${steps}' sh "$@"`,
    directory,
    process.execPath,
    program,
    script,
  );
  return JSON.parse(output) as Outcome;
}

/** A directory of programs, of which the one named is that of busybox. */
const only = (...programs: string[]) =>
  `mkdir $dir/bin; for p in ${programs.join(' ')}; do ln -s $(command -v busybox) $dir/bin/$p; done; export PATH=$dir/bin;`;

test('root mounts by the mount(8) of util-linux', async () => {
  expect(await mountIn({})).toEqual({ type: 'fuse.test', source: '4711', ...whole });
});

test('root mounts by the mount of busybox, as a booted node has it', async () => {
  const programs = only('mount', 'umount', 'sh', 'sha256sum', 'ls');
  expect(await mountIn({ prepare: programs })).toEqual({ type: 'fuse.test', source: '4711', ...whole });
});

test('a user in a namespace of his own is root there, and mounts by mount(8)', async () => {
  const become = `${nobody} unshare -Urm`;
  expect(await mountIn({ prepare: openDeviceToAll, become })).toEqual({
    type: 'fuse.test',
    source: '4711',
    ...whole,
  });
});

test('a user without any privilege mounts by fusermount3, for himself', async () => {
  const outcome = await mountIn({
    prepare: openDeviceToAll,
    become: nobody,
    script: `${read}; cat /proc/mounts | grep $1 | grep -c allow_other || :`,
  });
  expect(outcome).toEqual({ type: 'fuse.test', source: '4711', ...whole, output: `${whole.output}0\n` });
});

test('where the machine lets users show mounts to others, they do', async () => {
  const outcome = await mountIn({
    prepare: `${openDeviceToAll} echo user_allow_other >$dir/conf; mount --bind $dir/conf /etc/fuse.conf;`,
    become: nobody,
    script: 'grep $1 /proc/mounts | grep -o allow_other',
  });
  expect(outcome).toMatchObject({ output: 'allow_other\n', isGone: true });
});

test('a mount in use is detached by its user too', async () => {
  const outcome = await mountIn({
    prepare: openDeviceToAll,
    become: nobody,
    script: '(cd $1; exec sleep 1 >&- 2>&-) & head -c 1 <$1/data | wc -c',
  });
  expect(outcome).toMatchObject({ output: '1\n', isGone: true });
});

test('what fusermount3 refuses is said, with what can be done', async () => {
  const otherUsers = await mountIn({
    prepare: `${openDeviceToAll} chown 0:0 $dir/mnt;`,
    become: nobody,
  });
  expect(otherUsers).toMatchObject({
    kind: 'denied',
    message: expect.stringContaining('cannot mount on /'),
    cause: expect.stringContaining('no write access'),
    hint: expect.stringContaining('the directory must belong to you'),
  });
  const closedDevice = await mountIn({
    prepare: `${openDeviceToAll} chmod 600 $dir/fuse;`,
    become: nobody,
  });
  expect(closedDevice).toMatchObject({
    kind: 'denied',
    cause: expect.stringContaining('Permission denied'),
    hint: expect.stringContaining('chmod 666'),
  });
});

test('a user without fusermount3, or without koffi, is told what to install', async () => {
  const withoutTool = await mountIn({
    prepare: `${openDeviceToAll} ln -s $(command -v setpriv) $dir; ${only('sh', 'mount')} PATH=$PATH:$dir;`,
    become: nobody,
  });
  expect(withoutTool).toMatchObject({
    kind: 'missing-tool',
    message: expect.stringContaining('needs fusermount3'),
    hint: expect.stringMatching(/fuse3.*unshare -Urm/),
  });
  const room = await mkdtemp(join(tmpdir(), 'room-'));
  onTestFinished(() => rm(room, { recursive: true }));
  await sh('cp $1/*.ts $2', import.meta.dirname, room);
  const withoutKoffi = await mountIn({ prepare: openDeviceToAll, become: nobody, room });
  expect(withoutKoffi).toMatchObject({
    kind: 'missing-tool',
    message: 'mounting without root needs the npm package koffi',
    hint: 'npm install koffi',
  });
});

test('root without the right to mount is told what it takes', async () => {
  const outcome = await mountIn({ become: 'setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin --' });
  expect(outcome).toMatchObject({ kind: 'denied', hint: expect.stringContaining('CAP_SYS_ADMIN') });
});
