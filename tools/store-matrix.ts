/** Runs the conformance table of the stores and prints it as a matrix, stores × cases. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const pattern = ' as a store';
const options = ['--project', 'unit', '-t', pattern, '--reporter', './tools/store-matrix-reporter.ts'];
const { status } = spawnSync('vitest', ['run', ...options, 'src/store'], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
