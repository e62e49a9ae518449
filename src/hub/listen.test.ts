import { describe, expect, it } from 'vitest';
import { parseListen, urlOf } from './listen.ts';

describe('an address to listen on', () => {
  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }, 'http://127.0.0.1:8080'],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }, 'http://0.0.0.0:0'],
    ['[::1]:80', { host: '::1', port: 80 }, 'http://[::1]:80'],
    [':8080', { host: '127.0.0.1', port: 8080 }, 'http://127.0.0.1:8080'],
    ['8080', { host: '127.0.0.1', port: 8080 }, 'http://127.0.0.1:8080'],
  ])('%s', (text, address, url) => {
    expect(parseListen(text)).toEqual(address);
    expect(urlOf(address)).toBe(url);
  });

  it.each(['', 'localhost', '127.0.0.1:', '1.2.3.4:70000', '::1:80', 'a b:80', '80x'])('not %s', (text) => {
    expect(() => parseListen(text)).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});
