/** Flists mounted where nothing is that a mount can do without. */
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { makePlaces, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const project = join(import.meta.dirname, '../..');

test.each([
  'no-open',
  'cached',
  'passthrough',
])('without koffi and sysfs files are right, and a dead server is followed by another: --io %s', async (io) => {
  const places = await makePlaces();
  await sh('cd $1; echo hello >small; head -c 3000000 /dev/urandom >large', places.source);
  await packSource(places);
  const script = `
    mount -t tmpfs none "$project/node_modules/koffi"
    mount -t tmpfs none /sys
    "$node" "$project/src/cli/rfs.ts" mount -d -l log -m test.fl -c cache --io ${io} mnt
    same() { cmp mnt/small source/small; cmp mnt/large source/large; dd if=mnt/large iflag=direct bs=1M status=none | cmp - source/large; }
    same
    keeper=$(grep "$PWD/mnt" /proc/mounts | cut -d ' ' -f 1)
    kill -9 $(sed -n 's/^PPid:\\t//p' /proc/$keeper/status)
    same
    umount mnt
    tail --pid=$keeper -f /dev/null
    grep -v 'in place of one that ended' log || :`;
  const log = await sh(
    `cd "$1/.."; export project=$2 node=$3; exec unshare -m sh -euc "$4"`,
    places.source,
    project,
    process.execPath,
    script,
  );
  expect(log).toMatch(io === 'passthrough' ? /^files are not passed through: .*koffi.*\n/ : /^$/);
});
