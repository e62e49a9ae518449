import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'zos-boot-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A program that answers `--version` as QEMU does, and otherwise runs `body`, a piece of sh. */
export function fakeQemu(directory: string, body: string, version = '7.2.22'): string {
  const program = join(directory, 'fake-qemu');
  const answer = `if [ "$1" = --version ]; then echo 'QEMU emulator version ${version} (Debian)'; exit; fi`;
  writeFileSync(program, `#!/bin/sh\n${answer}\n${body}\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Whether a process with this id runs, or is a zombie that nobody has waited for. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
