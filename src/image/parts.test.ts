import { describe, expect, test } from 'vitest';
import { Tree } from '../tree/tree.ts';
import { removePaths } from './cleanup.ts';
import { textEntry } from './entries.ts';
import { spdxDocument } from './sbom.ts';
import { sizeByPart } from './size.ts';
import { accountsTree, skeletonTree } from './skeleton.ts';

const files = (...paths: string[]) => Tree.from(paths.map((path) => [path, textEntry('1234')]));

describe('cleaning up', () => {
  test('removes what a pattern names, directories with everything below them, and counts it', () => {
    const { tree, removed, bytes } = removePaths(
      files('usr/share/doc/a/copyright', 'usr/share/man/x', 'usr/share/keep'),
      ['usr/share/{doc,man}/**'],
    );
    expect([...tree.paths()]).toEqual(['', 'usr', 'usr/share', 'usr/share/keep']);
    expect([removed, bytes]).toEqual([5, 8]);
  });

  test('leaves names alone that only begin alike', () => {
    expect(removePaths(files('usr/share/docs'), ['usr/share/doc/**']).removed).toBe(0);
  });
});

test('sizes are summed by part, the largest first', () => {
  const parts = sizeByPart(files('a/1', 'a/2', 'b/1'), (path) => path[0]!);
  expect(parts).toEqual([
    { name: 'a', files: 2, bytes: 8 },
    { name: 'b', files: 1, bytes: 4 },
  ]);
});

describe('the skeleton', () => {
  test('is a merged-/usr system with a console', () => {
    const tree = skeletonTree('amd64');
    expect(tree.get('bin')).toMatchObject({ kind: 'symlink', target: 'usr/bin' });
    expect(tree.get('dev/console')).toMatchObject({ kind: 'character', major: 5, minor: 1 });
    expect(tree.get('tmp')?.mode).toBe(0o1777);
  });

  test('comes with accounts of which none has a password', async () => {
    const shadow = Buffer.from(await accountsTree('node').file('etc/shadow')!.content.read()).toString();
    expect(
      shadow
        .trim()
        .split('\n')
        .map((line) => line.split(':')[1]),
    ).toEqual(['*', '*']);
  });
});

describe('the bill of materials', () => {
  const subject = {
    name: 'image',
    version: '1',
    created: 0,
    packages: [
      { type: 'deb/debian', name: 'libstdc++6', version: '1:2~3', architecture: 'amd64', sha256: 'ab' },
    ],
  };

  test('is SPDX with a package URL and a digest for each package', () => {
    const document = JSON.parse(spdxDocument(subject));
    expect(document).toMatchObject({
      spdxVersion: 'SPDX-2.3',
      creationInfo: { created: '1970-01-01T00:00:00Z' },
    });
    expect(document.packages[1]).toMatchObject({
      name: 'libstdc++6',
      checksums: [{ algorithm: 'SHA256', checksumValue: 'ab' }],
      externalRefs: [{ referenceLocator: 'pkg:deb/debian/libstdc%2B%2B6@1%3A2~3?arch=amd64' }],
    });
    const ids = document.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID);
    expect(ids.every((id: string) => /^SPDXRef-[A-Za-z0-9.-]+$/.test(id))).toBe(true);
  });

  test('has the same bytes for the same image, and another name space for another', () => {
    expect(spdxDocument(subject)).toBe(spdxDocument(structuredClone(subject)));
    const other = { ...subject, packages: [] };
    expect(JSON.parse(spdxDocument(other)).documentNamespace).not.toBe(
      JSON.parse(spdxDocument(subject)).documentNamespace,
    );
  });
});
