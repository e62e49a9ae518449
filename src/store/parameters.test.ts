import { describe, expect, test } from 'vitest';
import { splitAddress } from './parameters.ts';

test.each([
  ['concurrency=4', { concurrency: 4 }],
  ['retries=0', { retries: 0 }],
  ['timeout=500ms', { timeout: 500 }],
  ['timeout=2m', { timeout: 120_000 }],
  ['bandwidth=10MB', { bandwidth: 10_000_000 }],
  ['bandwidth=512KiB/s', { bandwidth: 524_288 }],
  ['heal=true', { heal: true }],
  ['heal=false&concurrency=1&retries=3', { heal: false, concurrency: 1, retries: 3 }],
])('%s says how a store is used', (query, parameters) => {
  expect(splitAddress(`https://h/b?${query}`)).toEqual({ url: 'https://h/b', parameters });
});

test.each([
  'concurrency=0',
  'concurrency=many',
  'concurrency=',
  'concurrency',
  'retries=-1',
  'retries=1.5',
  'timeout=5',
  'timeout=0s',
  'bandwidth=0',
  'bandwidth=fast',
  'heal=yes',
])('%s is a usage error with an example', (query) => {
  expect(() => splitAddress(`https://h/b?${query}`)).toThrow(
    expect.objectContaining({ kind: 'usage', hint: expect.stringContaining('=') }),
  );
});

test.each([
  'https://u:p%2Fw@H:443/a/../b?x=1&sig=a+b%2F~&y#part',
  's3://AK:S/K?retries=1#@h:9000/b?region=x',
  'dir:///a b',
  'http://h/?constructor=1&fault=get:error&seed=7',
  'no URL',
  '',
])('what is not meant for us stays byte for byte: %j', (text) => {
  expect(splitAddress(text)).toEqual({ url: text, parameters: {} });
});

test('what is meant for us goes, wherever it stands, and the rest stays', () => {
  expect(splitAddress('https://h/b?sig=a+b%2F&retries=1&x=%7e&timeout=1s#part')).toEqual({
    url: 'https://h/b?sig=a+b%2F&x=%7e#part',
    parameters: { retries: 1, timeout: 1000 },
  });
});

test('a secret of S3 may have a question mark in it', () => {
  expect(splitAddress('s3://AK:S?K@h:9000/b?timeout=5s&region=x')).toEqual({
    url: 's3://AK:S?K@h:9000/b?region=x',
    parameters: { timeout: 5000 },
  });
});

describe('fault+', () => {
  test('takes its rules and its seed', () => {
    expect(splitAddress('fault+dir:///srv/blocks?fault=get:error:0.1&fault=put:delay=50ms&seed=7')).toEqual({
      url: 'dir:///srv/blocks',
      parameters: {},
      faults: {
        seed: 7,
        rules: [
          { operation: 'get', effect: { name: 'error', kind: 'unavailable' }, probability: 0.1 },
          { operation: 'put', effect: { name: 'delay', milliseconds: 50 } },
        ],
      },
    });
  });

  test.each(['fault=get:explode', 'fault=', 'seed=x', 'seed=-1'])('%s is a usage error', (query) => {
    expect(() => splitAddress(`fault+dir:///srv/blocks?${query}`)).toThrow(
      expect.objectContaining({ kind: 'usage', hint: expect.anything() }),
    );
  });
});
