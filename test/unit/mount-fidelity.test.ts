/**
 * A mounted flist is the directory that was packed, as far as any program can tell. MOUNT_FIDELITY_SEED runs one random directory.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { packSource } from '../../src/flist/pack.ts';
import { openPackSource } from '../../src/flist/pack-source.ts';
import { mountFlist } from '../../src/mount/mount-flist.ts';
import { requireFuse, sh } from '../../src/mount/test-flist.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { removeTree, testDirectory } from '../../src/store/test-directory.ts';
import { RandomDirectory } from './random-directory.ts';

beforeAll(requireFuse);

const single = process.env['MOUNT_FIDELITY_SEED'];
const first = Number(single ?? Math.floor(Math.random() * 1e9));
const seeds = Array.from({ length: single === undefined ? 4 : 1 }, (_, i) => first + i);

interface Mounted {
  readonly source: string;
  readonly mountpoint: string;
}

/** Packs what `make` makes, and mounts it for the time of a test. */
async function mountOf(make: (source: string) => Promise<unknown>): Promise<Mounted> {
  const root = await testDirectory();
  const [path, mountpoint, manifest] = [join(root, 'source'), join(root, 'mnt'), join(root, 'test.fl')];
  await make(path);
  await mkdir(mountpoint);
  await chmod(root, 0o755); // for other users
  onTestFinished(() => removeTree(path));
  const store = new MemoryStore();
  const source = await openPackSource(path);
  await packSource(source, { manifest, store, routes: [], threads: 1 });
  await source.close();
  const mounted = await mountFlist({ manifest, mountpoint, store, cache: join(root, 'cache') });
  onTestFinished(async () => {
    await mounted.unmount();
    await mounted.done;
  });
  return { source: path, mountpoint };
}

/** Version 2, then tag, permissions and id of: owner rw-, user 4321 r--, group ---, mask r--, others ---. */
const accessList =
  '0x02000000' +
  ['01000600ffffffff', '02000400e1100000', '04000000ffffffff', '10000400ffffffff', '20000000ffffffff'].join(
    '',
  );

/** One of everything that a file system can hold, beyond what a random directory has. */
const makeAll = (source: string) =>
  sh(
    `mkdir $1; cd $1
     mkdir -p many/sub/deep empty; echo hello >file; ln file many/hard; ln file many/sub/hard2; ln -s file link; ln -s /no/such dangling
     cp /bin/true capable; setcap cap_net_raw+ep capable; cp /bin/true setuid; chmod 4711 setuid
     mknod null c 1 3; mknod disk b 259 70000; mkfifo fifo
     perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("socket"))'
     setfattr -n user.text -v words file; setfattr -n user.empty file; setfattr -n trusted.zero -v 0x00ff00 many
     head -c 60000 /dev/zero | tr '\\0' x >long; i=0; while [ $i -lt 9 ]; do setfattr -n user.$i -v "$(head -c 300 long)" long; i=$((i+1)); done
     echo secret >listed; setfattr -n system.posix_acl_access -v ${accessList} listed
     truncate -s 4M holes; printf end >>holes; printf begin | dd of=holes conv=notrunc status=none
     : >"$(printf '\\377\\001')"; : >"$(printf '%0255d' 0)"
     chown 4000000000:12 empty; chown -h 12:4000000000 link; chmod 7777 empty
     touch -d '2001-02-03 04:05:06.123456789' file many/sub; touch -h -d '1960-01-01 00:00:00.000000001' link`,
    source,
  );

describe.each<[string, (source: string) => Promise<unknown>]>([
  ['everything', makeAll],
  ...seeds.map((seed): [string, (source: string) => Promise<unknown>] => [
    `MOUNT_FIDELITY_SEED=${seed}`,
    (source) => RandomDirectory.make(source, seed),
  ]),
])('of %s', (_, make) => {
  test('a mount is as its source', async () => {
    const { source, mountpoint } = await mountOf(make);
    const same = async (script: string) => {
      const [shown, expected] = await Promise.all([mountpoint, source].map((place) => sh(script, place)));
      expect(shown).toBe(expected);
      return expected!;
    };
    const sorted = 'LC_ALL=C sort | od -c';
    // A directory's size is a matter of the file system.
    await same(`cd $1; find . -type d -printf '%p|%y|%m|%U|%G|%n|%T@\\n' | ${sorted}`);
    await same(`cd $1; find . ! -type d -printf '%p|%y|%m|%U|%G|%n|%s|%T@|%l\\n' | ${sorted}`);
    await same(`cd $1; find . -print0 | xargs -0 stat -c '%h|%F|%t|%T|%y' | ${sorted}`);
    await same(
      `cd $1; getfattr -Rhd -m - -e hex . | awk '/^# file/ { file = $0; next } NF { print file, $0 }' | ${sorted}`,
    );
    await same(`cd $1; getcap -r . | ${sorted}`);
    await same(`cd $1; find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum`);
    // Names of one file are one inode.
    await same(`cd $1; find . ! -type d -links +1 -printf '%i %p\\n' | LC_ALL=C sort -k 2 |
      awk '!($1 in n) { n[$1] = ++count } { $1 = n[$1]; print }' | od -c`);
    for (const [from, to] of [
      [source, mountpoint],
      [mountpoint, source],
    ])
      expect(
        await sh('rsync -naHAXi --delete --checksum --modify-window=-1 $1/ $2/', from!, to!),
        'rsync would do nothing',
      ).toBe('');
  });
});

describe('what programs see', () => {
  test('attributes have the errors and sizes of xattr(7)', async () => {
    const { mountpoint } = await mountOf(makeAll);
    const errors = `perl -e '
      my ($file) = @ARGV;
      my $get = sub { my ($name, $room) = @_; my $value = "\\0" x ($room || 1);
        my $length = syscall(191, $file, $name, $value, $room + 0); $length < 0 ? $! + 0 : "$length bytes" };
      print join ", ", map { $get->(@$_) } ["user.text", 0], ["user.text", 5], ["user.text", 4], ["user.none", 0], ["user.empty", 9];
    ' "$1/file"`;
    expect(await sh(errors, mountpoint)).toBe('5 bytes, 5 bytes, 34, 61, 0 bytes'); // ERANGE, ENODATA
    const list = `perl -e 'my ($file) = @ARGV; my $names = "\\0" x 100;
      print join ", ", map { my $l = syscall(194, $file, $names, $_ + 0); $l < 0 ? $! + 0 : "$l bytes" } 0, 21, 20' "$1/file"`;
    expect(await sh(list, mountpoint)).toBe('21 bytes, 21 bytes, 34');
  });

  test('what cannot be done has the error of the manual', async () => {
    const { mountpoint } = await mountOf(makeAll);
    const failures = {
      'cat $1/file/x': 'Not a directory',
      'cat $1/many': 'Is a directory',
      'ls $1/$(printf %0256d 0)': 'File name too long',
      'readlink -v $1/file': 'Invalid argument',
      'rmdir $1/empty': 'Read-only file system',
      'ln $1/file $1/new': 'Read-only file system',
      'setfattr -n user.x -v y $1/file': 'Read-only file system',
      'setfattr -x user.text $1/file': 'Read-only file system',
      'chmod 644 $1/file': 'Read-only file system',
      'truncate -s 0 $1/file': 'Read-only file system',
      'echo x >>$1/file': 'Read-only file system',
      'cat $1/disk': 'Permission denied', // nodev
    };
    for (const [script, message] of Object.entries(failures))
      await expect(sh(script, mountpoint), script).rejects.toMatchObject({
        cause: { message: expect.stringContaining(message) },
      });
  });

  test('a capability works: it is the kernel that reads it', async () => {
    const { mountpoint } = await mountOf((source) =>
      sh('mkdir $1; cp /bin/cat $1/cat; setcap cap_dac_read_search+ep $1/cat; cp /bin/cat $1/plain', source),
    );
    const asNobody = (program: string, file: string) =>
      sh(`setpriv --reuid 65534 --clear-groups $1/${program} ${file} >/dev/null`, mountpoint);
    await asNobody('plain', '/etc/passwd');
    await asNobody('cat', '/etc/shadow');
    await expect(asNobody('plain', '/etc/shadow')).rejects.toMatchObject({
      cause: { message: expect.stringContaining('/etc/shadow: Permission denied') },
    });
  });

  test('an access list lets in whom it names, and nobody else', async () => {
    const { mountpoint } = await mountOf(async (source) => {
      await sh('mkdir -m 755 $1; echo secret >$1/listed', source);
      await sh(`setfattr -n system.posix_acl_access -v ${accessList} $1/listed`, source);
    });
    const readAs = (uid: number) =>
      sh(`setpriv --reuid ${uid} --regid ${uid} --clear-groups cat $1/listed`, mountpoint);
    expect(await readAs(4321)).toBe('secret\n');
    await expect(readAs(4322)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('Permission denied') },
    });
  });

  test('a copy keeps holes', async () => {
    const { mountpoint, source } = await mountOf(makeAll);
    const copy = `${source}.copy`;
    await sh('cp --sparse=auto $1/holes $2; cmp $2 $3/holes', mountpoint, copy, source);
    expect(Number(await sh('stat -c %b $1', copy))).toBeLessThan(2 * 1024 * 2); // of 4 MiB, less than two blocks of the flist
    expect(Number(await sh('stat -c %b $1/holes', mountpoint))).toBeLessThan(2 * 1024 * 2);
  });

  test('the pages of a hard-linked file are kept once', async () => {
    const { mountpoint } = await mountOf((source) =>
      sh('mkdir $1; head -c 1000000 /dev/urandom >$1/a; ln $1/a $1/b', source),
    );
    const cached = async (name: string) =>
      Number(
        await sh(
          `cat $1/${name} >/dev/null; grep -c . $1/${name} >/dev/null; fincore -bno RES $1/${name}`,
          mountpoint,
        ),
      );
    const whole = await cached('a');
    expect(whole).toBeGreaterThanOrEqual(1_000_000);
    expect(Number(await sh('fincore -bno RES $1/b', mountpoint))).toBe(whole);
  });
});
