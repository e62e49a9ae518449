/** Flists mounted by users who are not root. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { makePlaces, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const rfs = join(import.meta.dirname, '../cli/rfs.ts');

/** Nobody, but for being able to read the files of this project wherever they are. */
const nobody =
  'setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search --';

/** Runs a script in a mount namespace of its own, with a device that is open to all; `rfs` is the command, `$dir` its directory. */
async function asUser(become: string, script: string): Promise<string> {
  const places = await makePlaces();
  await sh('cd $1; echo hello >file; head -c 2000000 /dev/urandom >large; ln -s file link', places.source);
  await packSource(places);
  const dir = join(places.source, '..');
  await chmod(dir, 0o755);
  await sh(`chown -R 65534:65534 $1`, dir);
  const steps = `dir=$1; shift; mknod -m 666 $dir/fuse c 10 229; mount --bind $dir/fuse /dev/fuse; exec "$@"`;
  const program = `rfs() { ${process.execPath} ${rfs} "$@"; }; dir=$1; ${script}`;
  return sh(
    `dir=$1; shift; exec unshare -m sh -euc '${steps}' sh $dir ${become} sh -euc "$1" sh $dir`,
    dir,
    program,
  );
}

const mount = 'rfs mount -m $dir/test.fl -c $dir/cache -s dir://$dir/store -l $dir/log -d $dir/mnt';
const use =
  'cmp $dir/mnt/large $dir/source/large; cat $dir/mnt/link; grep $dir/mnt /proc/mounts | cut -d " " -f 3';

test('a user without any privilege mounts a flist, and takes it off', async () => {
  const gone = 'fusermount3 -u $dir/mnt; ! grep $dir/mnt /proc/mounts; cat $dir/log';
  expect(await asUser(nobody, `${mount}; ${use}; ${gone}`)).toBe('hello\nfuse.g8ufs\n');
});

test('SIGTERM to the process that the mount names takes it off', async () => {
  const script = `${mount}; ${use}
    kill -TERM $(grep $dir/mnt /proc/mounts | cut -d ' ' -f 1)
    for i in $(seq 200); do grep -q $dir/mnt /proc/mounts || break; sleep 0.05; done; ! grep $dir/mnt /proc/mounts`;
  expect(await asUser(nobody, script)).toBe('hello\nfuse.g8ufs\n');
});

test('a user who is root in a namespace of his own mounts a flist there', async () => {
  expect(await asUser(`${nobody} unshare -Urm`, `${mount}; ${use}; umount $dir/mnt`)).toBe(
    'hello\nfuse.g8ufs\n',
  );
});

test('a failure after the directory was taken leaves nothing on it', async () => {
  const script = `echo no flist >$dir/test.fl; ! ${mount} 2>$dir/errors; ! grep $dir/mnt /proc/mounts; cat $dir/errors`;
  expect(await asUser(nobody, script)).toMatch(/^error: .*test\.fl/);
});
