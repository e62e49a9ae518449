import { resolve } from 'node:path';
import type { Command } from 'commander';
import { examineMounting, isObstacle, type MountReport } from '../../mount/examine.ts';
import { exitCode, printJson } from '../face.ts';

export default function define(command: Command): void {
  command
    .description('say what mounts can do on this machine, and how to get the rest')
    .option('-c, --cache <directory>', 'where blocks would be kept', '/tmp/cache')
    .option('--json', 'print the findings as JSON')
    .action(async ({ cache, json }: { readonly cache: string; readonly json?: boolean }) => {
      const report = await examineMounting(resolve(cache));
      if (json) printJson(report);
      else console.log(linesOf(report).join('\n'));
      if (isObstacle(report.mount)) process.exitCode = exitCode.failed;
    });
}

const ways = { mount: 'as root, by mount(8)', fusermount: 'as a user, by fusermount3' } as const;

function linesOf({ way, mount, passthrough }: MountReport): string[] {
  const lines: string[] = [];
  const say = (subject: string, text: string, hint?: string) => {
    lines.push(`${subject.padEnd(12)}${text}`);
    if (hint !== undefined) lines.push(`${''.padEnd(12)}hint: ${hint}`);
  };
  if (isObstacle(mount)) {
    say('mounting', `no: ${mount.why}`, mount.hint);
    return lines;
  }
  say('mounting', `yes, ${ways[way]}; FUSE ${mount.protocol}`);
  if (isObstacle(passthrough)) say('passthrough', `no: ${passthrough.why}`, passthrough.hint);
  else say('passthrough', 'yes: the kernel reads large files that are whole in the cache by itself');
  if (mount.features.includes('resend')) say('take-over', 'yes: what a dead server was asked is asked again');
  else
    say(
      'take-over',
      'yes: what a dead server was asked is in a log; what it was just reading may get ESTALE',
      'Linux 6.9 or newer asks again',
    );
  if (mount.readahead > 128) say('readahead', `${mount.readahead} KiB`);
  else
    say(
      'readahead',
      `${mount.readahead} KiB, as the kernel begins with`,
      'root raises it, where /sys can be written',
    );
  return lines;
}
