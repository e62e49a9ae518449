import { formatTable } from '../base/table.ts';
import { formatBytes, formatDuration } from '../base/units.ts';
import type { StageStatus } from './engine.ts';
import type { Output } from './outputs.ts';

/** One stage as the cells of a row: name, state, time, memory, what it made or why it has to run. */
function cells({ stage, state, reasons, record }: StageStatus): string[] {
  const ran = state === 'built' && record !== undefined;
  const because = reasons.length > 0 ? `because ${reasons.join(', ')}` : '';
  return [
    stage,
    state,
    ran ? formatDuration(record.milliseconds) : '',
    ran ? formatBytes(record.peakMemory) : '',
    [state === 'stale' || state === 'missing' ? '' : (record?.note ?? ''), because]
      .filter((part) => part !== '')
      .join('; '),
  ];
}

/** The table of stages, before or after a build. */
export function formatStages(statuses: readonly StageStatus[]): string[] {
  return formatTable(statuses.map(cells), ['left', 'left', 'right', 'right', 'left']);
}

/** One line about a stage as soon as it is done. */
export function formatStage(status: StageStatus): string {
  const [stage, state, time, , detail] = cells(status) as [string, string, string, string, string];
  return `${stage.padEnd(17)} ${state.padEnd(7)} ${time.padStart(8)}  ${detail}`.trimEnd();
}

/** The results of a build with sizes and digests. */
export function formatOutputs(directory: string, outputs: readonly Output[]): string[] {
  return formatTable(
    outputs.map(({ path, bytes, sha256 }) => [
      `${directory}/${path}`,
      formatBytes(bytes),
      `sha256:${sha256.slice(0, 16)}…`,
    ]),
    ['left', 'right', 'left'],
  );
}
