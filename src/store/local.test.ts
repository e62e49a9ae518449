import { expect, test } from 'vitest';
import { localDirectories } from './local.ts';
import { parseRoute } from './route.ts';

const directories = (...specs: string[]) => localDirectories(specs.map(parseRoute));

test('plain directories, each for its own blocks, are local', () => {
  expect(directories('dir:///a')).toEqual([{ start: 0, end: 255, root: '/a' }]);
  expect(directories('00-7f=dir:///a', '80-ff=dir:///b%20c')).toEqual([
    { start: 0, end: 127, root: '/a' },
    { start: 128, end: 255, root: '/b%20c' },
  ]);
  expect(directories()).toEqual([]);
});

test.each([
  ['replicas', ['dir:///a', '80-ff=dir:///b']],
  ['another kind of store', ['00-7f=dir:///a', '80-ff=http://host/b']],
  ['a store with parameters', ['dir:///a?concurrency=1']],
  ['a store with faults', ['fault+dir:///a']],
  ['a host', ['dir://host/a']],
])('%s take more than reading files', (_, specs) => {
  expect(directories(...specs)).toBeUndefined();
});
