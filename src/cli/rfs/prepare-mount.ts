/** Starts the thread that will serve a mount, before anything else is loaded: it takes as long to start as Node.js itself. */
import { isDaemon } from '../../mount/life/daemon.ts';
import { takesOver } from '../../mount/life/keeper.ts';
import { ServingThread } from '../../mount/serving-thread.ts';

/** With these a process starts a daemon, or tells something. */
const servesNot = ['-d', '--daemon', '-h', '--help', '--forecast'];
const argv = process.argv.slice(2);
const isMount = argv.find((argument) => !argument.startsWith('-')) === 'mount';
if (isMount && (isDaemon() || takesOver() || !argv.some((argument) => servesNot.includes(argument))))
  ServingThread.prepare();
