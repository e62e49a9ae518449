import { expect, test } from 'vitest';
import { parseZdbUrl } from './zdb-address.ts';

const parse = (text: string) => parseZdbUrl(new URL(text));
const open = { user: '', password: '' };

test.each([
  ['zdb://host', { host: 'host', port: 9900 }, 'default'],
  ['zdb://host/', { host: 'host', port: 9900 }, 'default'],
  ['zdb://127.0.0.1:1/ns', { host: '127.0.0.1', port: 1 }, 'ns'],
  ['zdb://[fe80::1]/some/n%73', { host: 'fe80::1', port: 9900 }, 'ns'],
  ['zdb://[::1]:1/ns/', { host: '::1', port: 1 }, 'ns'],
  ['zdb:///run/zdb.sock', { path: '/run/zdb.sock' }, 'default'],
  ['zdb:///run/a%20socket', { path: '/run/a socket' }, 'default'],
])('%s is a place and a namespace', (text, target, namespace) => {
  expect(parse(text)).toEqual({ ...open, target, namespace });
});

test.each([
  ['zdb://:p%40ss@h/ns', { user: '', password: 'p@ss' }],
  ['zdb://user@h/ns', { user: 'user', password: '' }],
  ['zdb://us%3Aer:50%@h/ns', { user: 'us:er', password: '50%' }],
])('user and password of %s are percent-decoded', (text, credentials) => {
  expect(parse(text)).toMatchObject(credentials);
});

test.each(['zdb:///', 'zdb://', 'zdb:host', 'zdb://host/ns?pool=7'])('%s is refused with a hint', (text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ kind: 'usage', hint: expect.anything() }));
});
