import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../base/exec.ts';

test('the addon is loaded where no ldd tells the libc, while a thread does not answer, and reports are as before', async () => {
  const script = `
    import fs from 'node:fs';
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    import { loadSnappy } from ${JSON.stringify(join(import.meta.dirname, 'snappy-addon.ts'))};
    const { readFileSync } = fs;
    fs.readFileSync = (path, ...rest) => {
      if (path === '/usr/bin/ldd') throw new Error('there is none');
      return readFileSync(path, ...rest);
    };
    const { getReport } = process.report;
    const blocked = new Worker(
      "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(0); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
      { eval: true },
    );
    await once(blocked, 'message');
    const { compressSync, uncompressSync } = await loadSnappy();
    console.log(String(uncompressSync(compressSync('plain'))), process.report.getReport === getReport);
    await blocked.terminate();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  expect(stdout.toString().trim()).toBe('plain true');
});
