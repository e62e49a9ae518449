import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { lstat, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findMount } from '../../fuse/mount-table.ts';
import { StatsEndpoint } from '../../mount/stats/endpoint.ts';
import { socketOf } from '../../mount/stats/socket-paths.ts';
import { emptyStatistics, figuresOf, someSecond } from '../../mount/stats/test-figures.ts';
import { makePlaces, packSource, requireFuse, sh } from '../../mount/test-flist.ts';
import { readAllFigures } from '../../mount/top/read-figures.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { expectOneError, rfs } from './test-rfs.ts';

const program = join(import.meta.dirname, '../rfs.ts');

/** The socket of a mount that does the same every time somebody looks. */
async function busyMount(): Promise<string> {
  const path = join(await testDirectory(), 'stats.sock');
  const statistics = emptyStatistics();
  const endpoint = await StatsEndpoint.open(path, () => {
    someSecond(statistics);
    return figuresOf(statistics);
  });
  onTestFinished(() => endpoint.close());
  return path;
}

test('what a mount does is printed once, as text or as JSON', async () => {
  const path = await busyMount();
  const { code, out } = await rfs(['top', '--once', path]);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^\/mnt\/root {2}\/srv\/root\.fl {2}pid 4242, mounted for 10\.0 s\n {2}requests {2}12\/s/,
  );
  const [figures] = JSON.parse((await rfs(['top', '--json', path])).out);
  expect(figures).toMatchObject({ pid: 4242, statistics: { counters: { lookup: 40 } } });
});

test('what is no mount is an error', async () => {
  expectOneError(await rfs(['top', '/no/such']), /neither the socket of a mount nor a mounted flist/);
  expectOneError(await rfs(['top', '--once', '/tmp']), /neither the socket/);
});

/** What comes out of the program in a terminal of 100 × 20, until it ends. */
async function inTerminal(path: string, press: string, options: { readonly lookFor: string }) {
  const command = `stty cols 100 rows 20; '${process.execPath}' '${program}' top '${path}'; echo "ended $?"; stty -a`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void terminal.kill('SIGKILL'));
  let shown = '';
  let pressed = false;
  terminal.stdout.on('data', (chunk) => {
    shown += chunk;
    if (pressed || !shown.includes(options.lookFor)) return;
    pressed = true;
    terminal.stdin.write(press);
  });
  await once(terminal, 'exit');
  return shown;
}

test.each([
  ['q', 'q'],
  ['Ctrl-C', '\u0003'],
])('in a terminal it is shown in place until somebody presses %s, and the terminal is as before', async (_, key) => {
  const shown = await inTerminal(await busyMount(), key, { lookFor: 'lookup 20' });
  const [before, rest] = shown.split('\u001b[?1049h');
  const [picture, after] = rest!.split('\u001b[?1049l');
  expect(before).not.toContain('rfs top');
  expect(picture).toContain('rfs top');
  expect(picture).toContain('\u001b[?25l');
  expect(picture).not.toContain('\u001b[2J');
  expect(picture!.endsWith('\u001b[?7h\u001b[?25h')).toBe(true);
  expect(after).toMatch(/^ended 0/);
  expect(after).toMatch(/ icanon .* echo /s);
  expect(after).not.toMatch(/-icanon|-echo /);
});

test('a mount is found by its directory, is in the list of all, is followed when its server dies, and is gone with its socket', async () => {
  requireFuse();
  const places = await makePlaces();
  await writeFile(join(places.source, 'file'), 'the content');
  await packSource(places);
  const { manifest: meta, cache, mountpoint } = places;
  const trace = join(places.source, '../trace');
  const mounting = await rfs(['mount', '-m', meta, '-c', cache, '--trace', trace, '-d', mountpoint]);
  expect(mounting).toMatchObject({ code: 0 });
  onTestFinished(async () => void (await sh('! mountpoint -q $1 || umount -l $1', mountpoint)));
  await sh('cat $1/file', mountpoint);
  const socket = socketOf((await findMount(mountpoint))!.source)!;
  expect((await lstat(socket)).mode & 0o777).toBe(0o600);
  const [figures] = JSON.parse((await rfs(['top', '--json', mountpoint])).out);
  expect(figures).toMatchObject({ mountpoint, flist: meta, requests: [] });
  expect(figures.statistics.counters).toMatchObject({
    read: 1,
    readsWaited: 1,
    blocksAsked: 1,
    bytesRead: 11,
  });
  expect(figures.statistics.stores).toMatchObject([
    { address: `dir://${places.store}`, blocks: 1, failures: 0 },
  ]);
  expect((await rfs(['top', '--once'])).out).toContain(`${mountpoint}  ${meta}  pid ${figures.pid}`);
  const killed = figures.pid as number;
  process.kill(killed, 'SIGKILL');
  await sh('cat $1/file; stat $1/none || true', mountpoint);
  await expect
    .poll(async () => (await readAllFigures([socket])).get(socket)?.pid)
    .not.toBeOneOf([killed, undefined]);
  const heads = (await readFile(trace, 'utf8')).match(/^\{"trace".*$/gm)!;
  expect(heads).toEqual([heads[0], heads[0]]);
  await sh('umount $1', mountpoint);
  await expect.poll(() => existsSync(socket)).toBe(false);
});

test('a socket that cannot be made ends the mount before somebody uses it', async () => {
  requireFuse();
  const places = await makePlaces();
  await packSource(places);
  const { manifest: meta, cache, mountpoint } = places;
  const mounting = rfs(['mount', '-m', meta, '-c', cache, '-d', '--stats', join(meta, 'x'), mountpoint]);
  expectOneError(await mounting, /cannot listen on/);
  expect(await findMount(mountpoint)).toBeUndefined();
});
