import * as fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { startupToml } from './startup.ts';

const bare = { entrypoint: [], cmd: [], env: [] };

interface Startup {
  startup: { entry: { name: string; args: { name: string; args: string[]; dir: string; env: object } } };
}
const read = (text: string) => (parse(text) as unknown as Startup).startup.entry;

describe('.startup.toml', () => {
  test('has this text', () => {
    const config = {
      entrypoint: ['/entry.sh', '-x'],
      cmd: ['redis-server', 'say "hi"'],
      env: ['PATH=/bin:/usr/bin', 'A.B=c=d', 'EMPTY=', 'nothing', 'A.B=last'],
      workingDir: '/data',
    };
    expect(startupToml(config)).toBe(
      [
        '[startup.entry]',
        'name = "core.system"',
        '',
        '[startup.entry.args]',
        'args = ["-x", "redis-server", "say \\"hi\\""]',
        'dir = "/data"',
        'name = "/entry.sh"',
        '',
        '[startup.entry.args.env]',
        '"A.B" = "last"',
        'EMPTY = ""',
        'PATH = "/bin:/usr/bin"',
        '',
      ].join('\n'),
    );
  });

  test('starts the entrypoint with the command as its arguments, else the command, else a shell', () => {
    const started = (entrypoint: string[], cmd: string[]) => {
      const { name, args, dir } = read(startupToml({ ...bare, entrypoint, cmd })).args;
      return [name, args, dir];
    };
    expect(started(['/a', 'b'], ['c'])).toEqual(['/a', ['b', 'c'], '/']);
    expect(started([], ['c', 'd'])).toEqual(['c', ['d'], '/']);
    expect(started([], [])).toEqual(['/bin/sh', [], '/']);
  });

  test('reads back as it was, whatever the words', () => {
    const text = fc.string({ unit: 'binary' });
    const name = text.filter((key) => !key.includes('=') && key !== '__proto__');
    const words = fc.array(text, { minLength: 1 });
    fc.assert(
      fc.property(words, fc.dictionary(name, text), text, (cmd, env, workingDir) => {
        const lines = Object.entries(env).map(([key, value]) => `${key}=${value}`);
        const { args } = read(startupToml({ entrypoint: [], cmd, env: lines, workingDir }));
        expect([args.name, ...args.args]).toEqual(cmd);
        expect(args.dir).toBe(workingDir || '/');
        expect({ ...args.env }).toEqual({ ...env });
      }),
    );
  });
});
