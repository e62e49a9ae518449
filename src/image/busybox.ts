import { Failure } from '../base/errors.ts';
import type { Entry, Tree } from '../tree/tree.ts';
import { linkEntry } from './entries.ts';

/**
 * The applets of a busybox binary, read from it: a sorted table of NUL-terminated names that begins with `[` and `[[`
 * (busybox `include/applet_tables.h`). Running the binary would need its architecture.
 * @throws Failure `corrupt` when there is no such table.
 */
export function busyboxApplets(binary: Uint8Array): string[] {
  const bytes = Buffer.from(binary.buffer, binary.byteOffset, binary.length);
  for (let start = bytes.indexOf('[\0[[\0'); start >= 0; start = bytes.indexOf('[\0[[\0', start + 1)) {
    const names: string[] = [];
    for (let at = start; at < bytes.length; ) {
      const end = bytes.indexOf(0, at);
      const name = bytes.toString('latin1', at, end);
      if (!/^[a-z0-9[_.-]+$/.test(name) || (names.length > 0 && name <= names.at(-1)!)) break;
      names.push(name);
      at = end + 1;
    }
    if (names.includes('sh') && names.includes('mount')) return names;
  }
  throw new Failure('corrupt', 'the busybox binary holds no table of applets', {
    hint: 'is usr/bin/busybox of the image a busybox?',
  });
}

/** Links for every applet whose name no real program of the image has, as `busybox --install -s` makes them. */
export async function linkBusybox(root: Tree): Promise<Tree> {
  const busybox = root.file('usr/bin/busybox');
  if (!busybox)
    throw new Failure('config', 'the image has no usr/bin/busybox', {
      hint: 'add busybox-static to packages.list',
    });
  const links: [string, Entry][] = [];
  for (const applet of busyboxApplets(await busybox.content.read())) {
    if (root.has(`usr/bin/${applet}`) || root.has(`usr/sbin/${applet}`)) continue;
    links.push([`usr/bin/${applet}`, linkEntry('busybox')]);
  }
  return root.with(links);
}
