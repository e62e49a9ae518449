import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { checkFile, missingFirmware } from './report.ts';

it('missing firmware is what the kernel says it could not load, each name once', () => {
  const log = [
    '[    5.1] e100 0000:00:03.0: Direct firmware load for e100/d102e_ucode.bin failed with error -2',
    '[    5.2] e1000e: Intel(R) PRO/1000 Network Driver',
    '[    6.1] e100 0000:00:03.0: Direct firmware load for e100/d102e_ucode.bin failed with error -2',
    '[    7.0] x y: Direct firmware load for with space.bin failed with error -22',
  ].join('\n');
  expect(missingFirmware(log)).toEqual(['e100/d102e_ucode.bin', 'with space.bin']);
});

it('a checked file has its digest, or the reason why it cannot be read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'report-'));
  try {
    const file = join(directory, 'file');
    await writeFile(file, 'content');
    expect(await checkFile(file)).toEqual({ path: file, sha256: sha256('content') });
    expect(await checkFile(join(directory, 'none'))).toMatchObject({
      error: expect.stringMatching(/^ENOENT/),
    });
    expect(await checkFile(directory)).toMatchObject({ error: expect.stringMatching(/^EISDIR/) });
  } finally {
    await rm(directory, { recursive: true });
  }
});
