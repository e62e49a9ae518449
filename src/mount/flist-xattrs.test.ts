import { expect, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { sampleManifest } from '../flist/manifest/test-manifest.ts';
import { FlistXattrs } from './flist-xattrs.ts';

const rows = { directory: 1, file: 2, link: 3, empty: 8 };

function valuesWith(cached: number, store?: string) {
  const { columns } = sampleManifest();
  const xattrs = new FlistXattrs({ columns, cachedBlocks: () => cached, storeOf: () => store });
  return (row: number, name: string) => {
    const value = xattrs.value(row, Buffer.from(name));
    return value && Buffer.from(value).toString();
  };
}

test('a file says its blocks, how many of them are in the cache, and the store that gave the last', () => {
  const value = valuesWith(1, 'https://blocks.example.org/');
  expect(value(rows.file, 'user.flist.blocks')).toBe(`count=2 bytes=${blockSize + 1}`);
  expect(value(rows.file, 'user.flist.cache')).toBe('partial 1/2');
  expect(value(rows.file, 'user.flist.store')).toBe('https://blocks.example.org/');
  expect(valuesWith(2)(rows.file, 'user.flist.cache')).toBe('whole 2/2');
  expect(valuesWith(0)(rows.file, 'user.flist.cache')).toBe('none 0/2');
  expect(valuesWith(0)(rows.empty, 'user.flist.cache')).toBe('whole 0/0');
});

test('other names, other kinds and what is not known have no value', () => {
  const value = valuesWith(1);
  expect(value(rows.file, 'user.flist.store')).toBeUndefined();
  for (const name of [
    'user.flist.',
    'user.flist',
    'user.flist.other',
    'user.other.blocks',
    'security.capability',
  ])
    expect(value(rows.file, name), name).toBeUndefined();
  for (const row of [rows.directory, rows.link])
    expect(value(row, 'user.flist.blocks'), `row ${row}`).toBeUndefined();
});
