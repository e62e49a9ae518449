/** The program of the node, bundled into one file: `supervise`, `flist modules`, `flist firmware` and `report`. */
import { isMainThread } from 'node:worker_threads';
import { describeError } from '../base/errors.ts';
import { announce } from './announce.ts';
import { flistKinds } from './flist-outcome.ts';

/** Each command loads only what it needs: a bundle runs a module when it is first imported, and emulated machines are slow. */
async function main([command, argument]: string[]): Promise<number> {
  const flist = flistKinds.find((kind) => kind === argument);
  if (command === 'supervise') {
    const { supervise } = await import('./supervise.ts');
    await supervise();
  } else if (command === 'report') {
    const { collectReport } = await import('./report.ts');
    announce({ kind: 'report', report: await collectReport() });
  } else if (command === 'flist' && flist) {
    const { runFlistUnit } = await import('./flist-unit.ts');
    await runFlistUnit(flist, new URL(import.meta.url));
  } else {
    console.error('usage: node.mjs supervise | report | flist modules | flist firmware');
    return 2;
  }
  return 0;
}

/** Says why this process ends, so that what restarts it does not do so in silence. */
function die(error: unknown): never {
  const reason = describeError(error);
  console.error(reason);
  announce({ kind: 'failed', unit: process.argv.slice(2).join('-'), reason });
  process.exit(1);
}

if (isMainThread) {
  process.on('uncaughtException', die);
  process.exit(await main(process.argv.slice(2)));
} else {
  await import('../mount/worker.ts'); // this file is also the worker of `mountFlist`
}
