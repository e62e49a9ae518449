import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { fileContent } from '../tree/content.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { characterDevice, linkEntry, textEntry } from './entries.ts';
import { checkBudget, inspectRoot, judge } from './validate.ts';

const library = { ...textEntry('not looked into'), mode: 0o644 };

/** A root in which everything is there: this very Node with empty libraries. */
async function completeRoot(changes: Record<string, Entry | undefined> = {}): Promise<Tree> {
  const size = (await readFile(process.execPath)).length;
  const entries: Record<string, Entry | undefined> = {
    init: textEntry('#!/bin/sh\n', 0o755),
    bin: linkEntry('usr/bin'),
    sbin: linkEntry('usr/sbin'),
    lib64: linkEntry('usr/lib64'),
    'usr/bin/sh': textEntry('a shell', 0o755),
    'usr/sbin/init': linkEntry('../bin/sh'),
    'usr/bin/node': { ...textEntry('', 0o755), content: fileContent(process.execPath, size) },
    'usr/lib/zosbuilder/node.mjs': textEntry('//'),
    'usr/lib64/ld-linux-x86-64.so.2': library,
    'dev/console': characterDevice(5, 1, 0o600),
    ...Object.fromEntries(
      ['libdl.so.2', 'libstdc++.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libpthread.so.0', 'libc.so.6'].map(
        (name) => [`usr/lib/x86_64-linux-gnu/${name}`, library],
      ),
    ),
    ...changes,
  };
  return Tree.from(
    Object.entries(entries).filter((entry): entry is [string, Entry] => entry[1] !== undefined),
  );
}

describe('a root that would work', () => {
  test('gives no finding', async () => {
    expect(await inspectRoot(await completeRoot())).toEqual([]);
  });
});

describe('a root that would not work', () => {
  test.each([
    ['without /init', { init: undefined }, 'init is missing'],
    [
      'with an /init that is not executable',
      { init: textEntry('#!/bin/sh\n', 0o644) },
      'init is not executable',
    ],
    ['whose /init needs what is not there', { init: textEntry('#!/bin/bash\n', 0o755) }, 'needs /bin/bash'],
    ['without a library of Node', { 'usr/lib/x86_64-linux-gnu/libm.so.6': undefined }, 'needs libm.so.6'],
    [
      'without the loader',
      { 'usr/lib64/ld-linux-x86-64.so.2': undefined },
      'needs /lib64/ld-linux-x86-64.so.2',
    ],
    ['without /sbin/init', { 'usr/sbin/init': undefined }, 'sbin/init is missing'],
  ])('%s fails and says why', async (_, changes, message) => {
    const findings = await inspectRoot(await completeRoot(changes));
    expect(() => judge(findings)).toThrowError(
      expect.objectContaining({
        kind: 'failed',
        message: expect.stringContaining(message),
        hint: expect.any(String),
      }),
    );
  });
});

describe('what somebody should look at', () => {
  test('is a link that leads to nothing, but not one into the running system', async () => {
    const findings = await inspectRoot(
      await completeRoot({ 'etc/gone': linkEntry('nowhere'), 'etc/mtab': linkEntry('../proc/self/mounts') }),
    );
    expect(judge(findings)).toEqual([
      { severity: 'warning', path: 'etc/gone', text: 'links to nowhere, which is not in the image' },
    ]);
  });
});

test('an image over its budget fails and says by how much', () => {
  expect(() => checkBudget('initramfs', 100, 100)).not.toThrow();
  expect(() => checkBudget('initramfs', 2048, 1024)).toThrowError(
    expect.objectContaining({ message: 'initramfs is 2.0 KiB, over its budget of 1.0 KiB' }),
  );
});
