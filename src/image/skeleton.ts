import { type Entry, Tree } from '../tree/tree.ts';
import { characterDevice, directoryEntry, linkEntry, textEntry } from './entries.ts';

/**
 * The tree that packages are laid over: the directories of a merged-/usr system (hier(7)) and the two devices that a
 * kernel and an init need before devtmpfs is mounted. An embedded archive without `/dev/console` loses init's output.
 */
export function skeletonTree(architecture: 'amd64'): Tree {
  const entries: [string, Entry][] = [];
  for (const name of ['bin', 'sbin', 'lib']) entries.push([name, linkEntry(`usr/${name}`)]);
  if (architecture === 'amd64')
    entries.push(['lib64', linkEntry('usr/lib64')], ['usr/lib64', directoryEntry()]);
  for (const path of [
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'etc',
    'dev',
    'proc',
    'sys',
    'run',
    'home',
    'mnt',
    'var/cache',
    'var/log',
  ])
    entries.push([path, directoryEntry()]);
  entries.push(
    ['tmp', directoryEntry(0o1777)],
    ['root', directoryEntry(0o700)],
    ['var/run', linkEntry('/run')],
  );
  entries.push(['dev/console', characterDevice(5, 1, 0o600)], ['dev/null', characterDevice(1, 3, 0o666)]);
  return Tree.from(entries);
}

/** Groups that udev's rules name; a rule with an unknown group is an error line at every boot. */
const groups: Readonly<Record<string, number>> = {
  root: 0,
  daemon: 1,
  tty: 5,
  disk: 6,
  lp: 7,
  kmem: 15,
  dialout: 20,
  cdrom: 24,
  tape: 26,
  audio: 29,
  utmp: 43,
  video: 44,
  input: 101,
  sgx: 102,
  kvm: 103,
  render: 104,
  nogroup: 65534,
};

/**
 * The accounts and names that maintainer scripts would make. No password opens root: a node has no login but the console.
 * @param hostName the name of a node that DHCP gives none
 */
export function accountsTree(hostName: string): Tree {
  const lines = (rows: readonly string[]) => `${rows.join('\n')}\n`;
  return Tree.from([
    [
      'etc/passwd',
      textEntry(
        lines([
          'root:x:0:0:root:/root:/bin/sh',
          'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
        ]),
      ),
    ],
    ['etc/shadow', textEntry(lines(['root:*:::::::', 'nobody:*:::::::']), 0o600)],
    ['etc/group', textEntry(lines(Object.entries(groups).map(([name, gid]) => `${name}:x:${gid}:`)))],
    ['etc/hostname', textEntry(`${hostName}\n`)],
    ['etc/hosts', textEntry(lines(['127.0.0.1 localhost', '::1 localhost ip6-localhost']))],
    ['etc/nsswitch.conf', textEntry(lines(['passwd: files', 'group: files', 'hosts: files dns']))],
  ]);
}
