/**
 * Loaded into a process before its program (`node --import`): writes into the directory WITNESS what others can learn of the
 * process: the arguments of every process that it starts, and at its end the diagnostic report that a crash would leave.
 */
import childProcess from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const directory = process.env['WITNESS']!;

type Start = (...args: unknown[]) => unknown;

const starters = childProcess as unknown as Record<string, Start>;
for (const name of ['spawn', 'fork', 'exec', 'execFile', 'spawnSync', 'execSync', 'execFileSync']) {
  const original = starters[name]!;
  starters[name] = (...args) => {
    const [program, second] = args;
    const words = Array.isArray(second) ? second : [];
    appendFileSync(join(directory, 'children'), `${JSON.stringify([program, ...words])}\n`);
    return original(...args);
  };
}
syncBuiltinESMExports();

if (isMainThread)
  process.on('exit', () => {
    Object.assign(process.report, { excludeNetwork: true }); // it would ask name servers
    const report = process.report.getReport() as { header?: object } | string;
    writeFileSync(
      join(directory, `report-${process.pid}.json`),
      typeof report === 'string' ? report : JSON.stringify(report),
    );
  });
