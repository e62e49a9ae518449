import { describe, expect, test } from 'vitest';
import { run } from './exec.ts';

describe('run', () => {
  test('gives what the program printed', async () => {
    const result = await run('sh', ['-c', 'echo out; echo err >&2']);
    expect(result).toEqual({ code: 0, stdout: Buffer.from('out\n'), stderr: 'err\n' });
  });

  test('feeds input, also to a program that does not read it', async () => {
    const input = Buffer.alloc(1 << 20, 'x');
    expect((await run('cat', [], { input })).stdout).toEqual(input);
    expect((await run('true', [], { input })).code).toBe(0);
  });

  test('uses the environment and the directory it is given', async () => {
    const script = 'echo "$WORD $PWD"';
    const { stdout } = await run('sh', ['-c', script], {
      cwd: '/',
      env: { PATH: process.env['PATH'], WORD: 'hi' },
    });
    expect(stdout.toString()).toBe('hi /\n');
  });

  test('fails with the end of the error output', async () => {
    await expect(run('sh', ['-c', 'echo why >&2; exit 3'])).rejects.toMatchObject({
      kind: 'failed',
      message: 'sh ended with code 3',
      cause: new Error('why'),
    });
  });

  test('gives an exit code that is accepted', async () => {
    expect((await run('sh', ['-c', 'exit 3'], { accept: [3] })).code).toBe(3);
  });

  test('fails when a signal ended the program', async () => {
    await expect(run('sh', ['-c', 'kill -TERM $$'])).rejects.toThrow('sh ended with SIGTERM');
  });

  test('names the package of a program that is missing', async () => {
    await expect(run('no-such-program', [], { package: 'its-package' })).rejects.toMatchObject({
      kind: 'missing-tool',
      hint: 'install it: apt-get install its-package',
    });
  });

  test('ends a program that takes too long', async () => {
    await expect(run('sleep', ['600'], { timeout: 50 })).rejects.toMatchObject({ kind: 'timeout' });
  });
});
